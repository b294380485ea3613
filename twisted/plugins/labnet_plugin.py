"""The three twistd plugins. Nothing of labnet is imported here: every ``twistd --help`` pays for what it imports."""

from twisted.application.service import ServiceMaker

labnet = ServiceMaker(
    "labnet",
    "labnet.daemon.tap.Lab",
    "The whole networking lab: command server, resolvers, all from one file.",
    "labnet",
)
labnet_command = ServiceMaker(
    "labnet-command", "labnet.daemon.tap.Command", "The lab's TCP command server alone: TIME, EXIT.", "labnet-command"
)
labnet_resolver = ServiceMaker(
    "labnet-resolver",
    "labnet.daemon.tap.OneResolver",
    "One resolver of the lab: PORT PARENT_IP PARENT_PORT RECORDS_FILE.",
    "labnet-resolver",
)
