"""The console: metrics, logs, the control socket."""
