"""What happens to a running lab: signals, a reload, its end, and what there is to say of it.

``reload`` reads everything anew and ``changeover`` takes it in one step; ``ending`` waits for what is in flight;
``signals`` hears of both. ``recent_warnings`` and ``listen_addresses`` are what the status shows. Begin with
``reload``.
"""
