const net = require("net");
const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = number => String(number).padStart(2, "0");
const waiting = [];
let served = null;

function ctime() {
  const now = new Date();
  const clock = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(":");
  return `${days[now.getDay()]} ${months[now.getMonth()]} ${String(now.getDate()).padStart(2)} ${clock} ${now.getFullYear()}`;
}

function next() {
  served = waiting.shift() ?? null;
  if (!served) return;
  const client = served;
  client.write(`Connected: your IP address is ${client.remoteAddress} and your port is ${client.remotePort}\n`);
  client.setTimeout(15000, () => client.destroy());
  client.on("data", data => {
    const command = data.toString("latin1").trim();
    if (command === "EXIT") {
      server.close();
      for (const one of [client, ...waiting]) one.destroy();
    } else {
      client.write((command === "TIME" ? ctime() : "Invalid command!") + "\n");
    }
  });
  client.resume();
}

const server = net.createServer({ pauseOnConnect: true }, client => {
  client.on("error", () => client.destroy());
  client.on("close", () => {
    const place = waiting.indexOf(client);
    if (place >= 0) waiting.splice(place, 1);
    if (served === client) next();
  });
  waiting.push(client);
  if (!served) next();
});
server.listen(Number(process.argv[2]), "0.0.0.0");
