"""Programs with a single defect each, made of the reference programs by replacing a piece of text, and who names it."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """``program`` of the assignment's folder, with each text of ``changes`` replaced; ``check`` alone has to fail."""

    assignment: str
    name: str
    check: str
    program: str
    changes: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        return f"{self.assignment}: {self.name}"


def _command(
    name: str, check: str, *changes: tuple[str, str], program: str = "plain.py", of: str = "command"
) -> Mutant:
    return Mutant(of, name, check, program, changes)


def _resolver(name: str, check: str, *changes: tuple[str, str], program: str = "plain.py") -> Mutant:
    return Mutant("resolver", name, check, program, changes)


COMMAND = (
    _command("its argument is ignored", "listens", ("int(sys.argv[1])", "9999")),
    _command("the greeting has no port", "greeting", (" and your port is {address[1]}", "")),
    _command("the greeting has no address", "greeting", ("{address[0]}", "yours")),
    _command("there is no greeting", "greeting", ("    client.send(greeting.encode())\n", "")),
    _command("TIME gives seconds", "time", ("time.ctime()", "str(time.time())")),
    _command("TIME gives another hour's minutes", "time", ("time.ctime()", "time.ctime(time.time() + 400)")),
    _command("a connection ends after one command", "several-commands", ('"\\n").encode())', '"\\n").encode())\n                break')),
    _command("case is ignored", "invalid", ("data.strip()", "data.strip().upper()")),
    _command("what begins with TIME is TIME", "invalid", ('command == b"TIME"', 'command.startswith(b"TIME")')),
    _command("an invalid command ends the connection", "invalid", ('client.send(b"Invalid command!\\n")', 'client.send(b"Invalid command!\\n")\n                break')),
    _command("an invalid command gets no reply", "invalid", ('client.send(b"Invalid command!\\n")', "pass")),
    _command("bytes that are no UTF-8 end it", "binary", ("command = data.strip()", "command = data.decode().strip().encode()")),
    _command("it ends when a client closes", "client-closes", ("            if not data:\n                break", "            if not data:\n                sys.exit()")),
    _command("it serves ten clients", "many", ("running = True\n", "running = True\nserved = 0\n"), ("    client.settimeout(15)", "    served += 1\n    if served > 10:\n        sys.exit()\n    client.settimeout(15)")),
    _command("clients are served side by side", "one-at-a-time", ("    with one_at_a_time:\n", "    if True:\n"), program="threads.py"),
    _command("who would have to wait is sent away", "one-at-a-time", ("    with one_at_a_time:\n", "    if one_at_a_time.locked():\n        client.close()\n        return\n    with one_at_a_time:\n"), program="threads.py"),
    _command("EXIT is no command", "exit", ('b"EXIT"', 'b"QUIT"')),
    _command("EXIT closes one connection", "exit-all", ("                running = False\n", "")),
    _command("EXIT leaves who waits connected", "exit-all", ("                os._exit(0)\n", "                break\n"), ("daemon=True", "daemon=False"), program="threads.py"),
    _command("after EXIT a closed socket is read", "exit-is-clean", ("                running = False\n                break", "                client.close()\n                welcome.close()"), ("except OSError", "except TimeoutError")),
    _command("there is no time-out", "timeout", ("    client.settimeout(15)\n", "")),
    _command("the time-out is ten seconds", "timeout", ("settimeout(15)", "settimeout(10)")),
    _command("the time-out is thirty seconds", "timeout", ("settimeout(15)", "settimeout(30)")),
    _command("close without its parentheses", "timeout", ("    client.close()\n", "    client.close\n")),
    _command("the time-out counts from the connection", "timeout-restarts", ("    client.settimeout(15)\n", "    until = time.monotonic() + 15\n"), ("            data = client.recv", "            client.settimeout(max(until - time.monotonic(), 0.001))\n            data = client.recv")),
    _command("the time-out is for each byte", "timeout-by-command", ("client.settimeout(max(until - time.monotonic(), 0.001))", "client.settimeout(15)"), program="lines.py"),
    _command("the time-out is on the welcome socket", "idle-server", ("welcome.listen(5)\n", "welcome.listen(5)\nwelcome.settimeout(15)\n")),
    _command("SO_REUSEADDR is not set", "restart", ("welcome.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n", "")),
    _command("bytes are left unread", "no-reset", ("            data = client.recv(1024)\n", "            data = client.recv(1024, socket.MSG_PEEK)\n            client.recv(len(data.strip()) or 1)\n"), ("            command = data.strip()\n", "            command = data.strip()\n            if not command:\n                continue\n")),
    _command("a segment is taken for a command", "split", of="command-lines"),
    _command("the CR is part of the command", "line-ends", ('line.strip() == b"TIME"', 'line == b"TIME"'), program="lines.py", of="command-lines"),
    _command("a second line of a segment is lost", "two-in-one", ("line, waiting = waiting.split(b\"\\n\", 1)", "line, waiting = waiting.split(b\"\\n\", 1)[0], b\"\""), program="lines.py", of="command-lines"),
)  # fmt: skip

RESOLVER = (
    _resolver("its port is ignored", "listens", ('server.bind(("", port))', 'server.bind(("", 1053))')),
    _resolver("a TTL keeps the end of its line", "answers", ("int(fields[2]), learned", "line.split(',')[2], learned"), ("> entry[1]", "> int(entry[1])")),
    _resolver("the reply is the name", "answers", ("json.dumps([name, entry[0], str(entry[1])", "json.dumps([name, name, str(entry[1])")),
    _resolver("the last letter of each line is cut", "last-line", ("line.strip().split", "line[:-1].split")),
    _resolver("the file has a fixed name", "file-argument", ("sys.argv[4]", '"ips.txt"')),
    _resolver("all replies go to the first client", "each-client", ("table = {}\n", "table = {}\nfirst = []\n"), ("    name = question.decode().strip()\n", "    first.append(client)\n    client = first[0]\n    name = question.decode().strip()\n")),
    _resolver("the parent's port is fixed", "parent-argument", ("(parent_ip, parent_port))", "(parent_ip, 1200))")),
    _resolver("the parent's address is fixed", "parent-argument", ("(parent_ip, parent_port))", '("127.0.0.1", parent_port))')),
    _resolver("bytes are encoded on the way to the parent", "asks-parent", ("name.encode(), (parent", "name.encode().encode(), (parent")),
    _resolver("the parent is asked in another form", "asks-parent", ("asking.sendto(name.encode()", 'asking.sendto(("get " + name).encode()')),
    _resolver("the parent is never asked", "asks-parent", ("and parent_port != -1", "and False")),
    _resolver("one socket for clients and parent", "own-port", ("    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n    asking.settimeout(3)\n", "    asking = server\n"), ("        asking.close()\n", "        pass\n")),
    _resolver("bytes are encoded on the way back", "passes-on", ("asking.recv(2048).decode()", "asking.recv(2048).encode()")),
    _resolver("the parent's TTL is lost", "passes-on", ("[reply[1], int(reply[2]), True", "[reply[1], 60, True")),
    _resolver("nothing is learned", "learns", ("entry = table[name] = [reply", "entry = [reply")),
    _resolver("one name is learned", "learns-several", ("            entry = table[name]", "            for other in [key for key, one in table.items() if one[2]]:\n                del table[other]\n            entry = table[name]")),
    _resolver("nothing is saved", "saved", ("            save()\n", "")),
    _resolver("learned lines are read as if just loaded and lost", "saved", ("if len(fields) >= 3:", "if len(fields) == 3:")),
    _resolver("a learned line is glued to the last", "saved-apart", ('with open(path, "w") as out:\n        for name, (address, ttl, learned, since) in table.items():\n', 'with open(path, "a") as out:\n        for name, (address, ttl, learned, since) in list(table.items())[-1:]:\n')),
    _resolver("nothing is forgotten", "expires", ("time.time() - entry[3] > entry[1]", "False")),
    _resolver("a hit refreshes the TTL", "expires", ("    if entry:\n        server", "    if entry:\n        entry[3] = time.time()\n        server")),
    _resolver("the TTL counts from the start", "ttl-from-learning", ("table = {}\n", "table = {}\nstarted = time.time()\n"), ("True, time.time()]", "True, started]")),
    _resolver("lines of the file expire", "static-stays", ("if entry and entry[2] and", "if entry and")),
    _resolver("an unknown name ends the root", "unknown-at-root", ('    if entry:\n        server', '    if True:\n        server')),
    _resolver("the CR is part of the TTL", "crlf-file", ("int(fields[2]), learned", "fields[2], learned"), ("> entry[1]", "> int(entry[1])"), ("line.strip().split", 'line.rstrip("\\n").split'), ("open(path) as file", 'open(path, newline="") as file')),
    _resolver("the parent's answer goes to who asked last", "two-at-once", ("        if text in learned and", "        last = source\n        if text in learned and"), ('server.sendto(text.encode() + b"\\n", client)', 'server.sendto(text.encode() + b"\\n", last)'), program="line.py"),
    _resolver("no time-out on the parent", "silent-parent", ("    asking.settimeout(3)\n", "")),
)  # fmt: skip

CLIENTS = (
    Mutant("command-client", "it connects to another port", "connects", "plain.py", (("int(sys.argv[2])", "int(sys.argv[2]) + 1"),)),
    Mutant("command-client", "it waits for a server that is gone", "server-closes", "plain.py", (("    if not reply:\n        break", "    if not reply:\n        import time\n\n        time.sleep(300)"),)),
    Mutant("command-client", "its arguments are ignored", "arguments", "plain.py", (("int(sys.argv[2])", "8080"),)),
    Mutant("command-client", "the greeting is not shown", "greeting", "plain.py", (('print("MESSAGE!!! ----> Server Message: " + server.recv(1024).decode())', "server.recv(1024)"),)),
    Mutant("command-client", "the command is sent in small letters", "sends", "plain.py", (("server.send(command.encode())", "server.send(command.lower().encode())"),)),
    Mutant("command-client", "the reply is not shown", "reply", "plain.py", (('print("MESSAGE!!! ----> Server Response: " + reply.decode())', "pass"),)),
    Mutant("command-client", "it asks once", "several", "plain.py", (('print("MESSAGE!!! ----> Server Response: " + reply.decode())', 'print("MESSAGE!!! ----> Server Response: " + reply.decode())\n    break'),)),
    Mutant("command-client", "it sends the two commands alone", "any-command", "plain.py", (("    server.send", '    if command not in ("TIME", "EXIT"):\n        continue\n    server.send'),)),
    Mutant("command-client", "it does not end", "ends", "plain.py", (('input("MESSAGE!!! ----> Press Enter to exit from the console...")', "import time\n\ntime.sleep(300)"),)),
    Mutant("command-client", "it reads the closed connection", "ends-cleanly", "plain.py", (("server.close()\n", "server.close()\nserver.recv(10)\n"),)),
    Mutant("resolver-client", "its arguments are ignored", "arguments", "json_.py", (("(sys.argv[1], int(sys.argv[2]))", '("127.0.0.1", 1199)'),)),
    Mutant("resolver-client", "it asks with a word before the name", "asks", "json_.py", (("client.sendto(name.encode()", 'client.sendto(("GET " + name).encode()'),)),
    Mutant("resolver-client", "it prints the name", "prints", "json_.py", (("reply[1] if reply", "reply[0] if reply"),)),
    Mutant("resolver-client", "it prints the line", "address-alone", "line.py", (('.split(",")[1]', ""),)),
    Mutant("resolver-client", "it prints the name too", "address-alone", "json_.py", (("print(reply[1]", "print(name, reply[1]"),)),
    Mutant("resolver-client", "it asks once", "several", "json_.py", (('"not found")', '"not found")\n    break'),)),
    Mutant("resolver-client", "an unknown name ends it", "unknown", "json_.py", (('reply[1] if reply else "not found"', "reply[1]"),)),
)  # fmt: skip

DIALECTS = (
    Mutant("zone", "the server's port is fixed", "server-listens", "plain/server.py", (("int(sys.argv[1])", "5555"),)),
    Mutant("zone", "bytes are encoded on the way to the parent", "resolver-asks", "plain/resolver.py", (("asking.sendto(name.encode(), address)", "asking.sendto(name.encode().encode(), address)"),)),
    Mutant("zone", "the resolver replies with the name", "resolver-answers", "plain/resolver.py", (("server.sendto(cache[name][0], client)", "server.sendto(name.encode(), client)"),)),
    Mutant("zone", "an unknown name ends the resolver", "resolver-unknown", "plain/resolver.py", (('len(fields) == 3 and fields[2] == "NS"', 'fields[2] == "NS"'),)),
    Mutant("hostname-table", "the port is fixed", "ts-listens", "plain/ts.py", (("int(sys.argv[1])", "5555"),)),
    Mutant("hostname-table", "the address alone is the reply", "ts-answers", "plain/ts.py", (("table[line.split()[0].lower()] = line.strip()", "table[line.split()[0].lower()] = line.split()[1]"),)),
    Mutant("hostname-table", "the root's reply is the address alone", "rs-answers", "plain/rs.py", (("client.send(table.get(host.lower(), referral).encode())", "client.send(table.get(host.lower(), referral).split()[1].encode())"),)),
    Mutant("hostname-table", "the client asks the other server first", "client-asks", "plain/client.py", (("int(sys.argv[2])", "int(sys.argv[3])"),)),
    Mutant("zone", "the suffix is compared without its dot", "server-suffix", "plain/server.py", (("endswith(line[0])", "endswith(line[0][1:])"),)),
    Mutant("zone", "the referral goes before the record", "server-exact-first", "plain/server.py", (('line[2] == "A" and line[0] == name', 'line[2] == "NS" and name.endswith(line[0])'), ('    if not found:\n        found = [line for line in lines if line[2] == "NS" and name.endswith(line[0])]', '    if not found:\n        found = [line for line in lines if line[0] == name]'))),
    Mutant("zone", "there are no referrals", "server-refers", "plain/server.py", (('line[2] == "NS"', "False"),)),
    Mutant("zone", "the last letter of each line is cut", "server-last-line", "plain/server.py", (("line.strip().split", "line[:-1].split"),)),
    Mutant("zone", "an unknown name ends the server", "server-unknown", "plain/server.py", (('",".join(found[0]).encode() if found else b"non-existent domain"', '",".join(found[0]).encode()'),)),
    Mutant("zone", "the address alone is the reply", "server-answers", "plain/server.py", (('",".join(found[0]).encode()', "found[0][1].encode()"),)),
    Mutant("zone", "referrals are passed on", "resolver-follows", "plain/resolver.py", (('fields[2] == "NS"', "False"),)),
    Mutant("zone", "one referral is followed", "resolver-follows", "plain/resolver.py", (("def ask(name, address):", "def ask(name, address, follows=True):"), ('len(fields) == 3 and fields[2] == "NS"', 'follows and len(fields) == 3 and fields[2] == "NS"'), ("return ask(name, (host, int(port)))", "return ask(name, (host, int(port)), False)"))),
    Mutant("zone", "nothing is remembered", "resolver-remembers", "plain/resolver.py", (("if name not in cache or", "if True or"),)),
    Mutant("zone", "the time is the wrong argument", "resolver-forgets", "plain/resolver.py", (("int(sys.argv[4])", "int(sys.argv[3])"),)),
    Mutant("zone", "the client prints the line", "client-address-alone", "plain/client.py", (("print(fields[1] if len(fields) > 1 else fields[0])", 'print(",".join(fields))'),)),
    Mutant("zone", "the client has a prompt", "client-address-alone", "plain/client.py", (("input()", 'input("name: ")'),)),
    Mutant("zone", "the client asks once", "client-prints", "plain/client.py", (("else fields[0])", "else fields[0])\n    break"),)),
    Mutant("hostname-table", "the last letter of each line is cut", "ts-last-line", "plain/ts.py", (("line.strip()\n", "line[:-1]\n"),)),
    Mutant("hostname-table", "case counts", "ts-case", "plain/ts.py", (("[line.split()[0].lower()]", "[line.split()[0]]"), ("host.lower()", "host"))),
    Mutant("hostname-table", "the error has other words", "ts-unknown", "plain/ts.py", (("Error:HOST NOT FOUND", "not found"),)),
    Mutant("hostname-table", "case counts at the root", "rs-case", "plain/rs.py", (("[line.split()[0].lower()]", "[line.split()[0]]"), ("host.lower()", "host"))),
    Mutant("hostname-table", "the root does not refer", "rs-refers", "plain/rs.py", (("host.lower(), referral", 'host.lower(), "unknown"'),)),
    Mutant("hostname-table", "the client does not walk", "client-walks", "plain/client.py", (('endswith("NS")', 'endswith("XX")'),)),
    Mutant("hostname-table", "the client writes the last answer", "client-writes", "plain/client.py", (('        out.write(reply + "\\n")', '        out.seek(0)\n        out.truncate()\n        out.write(reply + "\\n")'),)),
)  # fmt: skip

MUTANTS = (*COMMAND, *RESOLVER, *CLIENTS, *DIALECTS)

SLOW = (
    _command("its time begins before its greeting", "timeout-by-command", ('            client.sendall(f"{host}', '            until = time.monotonic() + 15\n            time.sleep(1.3)\n            client.sendall(f"{host}'), ('waiting = b""\n            until = time.monotonic() + 15\n', 'waiting = b""\n'), program="lines.py"),
    _resolver("what was learned is told late, for a TTL of two seconds", "expires", ("            save()\n", "            save()\n            time.sleep(1.3)\n")),
    _resolver("what was learned is told late, for one of three", "ttl-from-learning", ("            save()\n", "            save()\n            time.sleep(2.5 if reply[2] == '3' else 0)\n")),
    Mutant("zone", "what was learned is told late", "resolver-forgets", "plain/resolver.py", (("    server.sendto(cache", "    time.sleep(2.6)\n    server.sendto(cache"),)),
)  # fmt: skip
"""Programs that conform, on a machine that is slow: the judge sees late when their time began."""
