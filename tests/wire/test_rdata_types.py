"""The classes of the record types are all there before the first question comes."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

_SCRIPT = """
import sys
import labnet.resolver.service
import dns.rdata, dns.rdataclass, dns.rdatatype
before = set(sys.modules)
for rdtype in (*dns.rdatatype.RdataType, dns.rdatatype.RdataType.make(65280)):
    dns.rdata.get_rdata_class(dns.rdataclass.IN, rdtype)
print(sorted(set(sys.modules) - before))
"""


class RdataTypeTests(SynchronousTestCase):
    """dnspython imports them one by one, which needs a file descriptor and the file system as it was at the start."""

    def test_no_type_is_imported_when_it_is_first_seen(self) -> None:
        """Neither one that dnspython knows nor any other."""
        done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "[]\n")
