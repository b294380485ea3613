// The views by their names in the address, in the order of the bar; forAll: what a viewer of one resolver may not see.

import { openAsk } from "./view-ask.js";
import { openFaults } from "./view-faults.js";
import { openLadder } from "./view-ladder.js";
import { openLog } from "./view-log.js";
import { openMap } from "./view-map.js";
import { openNames } from "./view-names.js";
import { openParents } from "./view-parents.js";
import { openSessions } from "./view-sessions.js";
import { openTraffic } from "./view-traffic.js";

export const VIEWS = {
  ladder: { title: "Ladder", about: "The last exchanges and sessions: a column a host, an arrow a datagram, time downwards.", open: openLadder },
  names: { title: "Names", about: "What the resolvers know: records, what they learned, and for how long.", open: openNames },
  sessions: { title: "Sessions", about: "Who is connected to the command server, and who waits for a turn.", open: openSessions, forAll: true },
  parents: { title: "Parents", about: "Who is asked what is not known here, and who would be next.", open: openParents },
  traffic: { title: "Traffic", about: "The last five minutes, second by second.", open: openTraffic, forAll: true },
  map: { title: "Map", about: "Who listens where, who is whose parent, what each knows.", open: openMap },
  log: { title: "Log", about: "Warnings and events with their ids, the newest first.", open: openLog, forAll: true },
  ask: { title: "Ask", about: "One question, its answer, its ladder and why.", open: openAsk },
  faults: { title: "Faults", about: "What goes wrong on order. Each ends by itself.", open: openFaults },
};
