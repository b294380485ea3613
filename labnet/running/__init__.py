"""What happens to a running lab: a reload, its end, what there is to say of it."""
