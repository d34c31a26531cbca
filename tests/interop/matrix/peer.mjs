// Node.js's tls module as a peer.  The arguments are those of tests/support/programs.py.
import { readFileSync } from "node:fs";
import { constants } from "node:crypto";
import tls from "node:tls";

const PATIENCE = 20_000;
const given = Object.fromEntries(process.argv.slice(2).map((argument) => argument.split(/=(.*)/s)));
const read = (path) => (path ? readFileSync(path) : undefined);

const [identity, key] = (given.psk ?? "").split(":");
const psk = Buffer.from(key ?? "", "hex");
const options = {
  minVersion: `TLSv${given.version}`,
  maxVersion: `TLSv${given.version}`,
  ca: read(given.ca),
  cert: read(given.cert),
  key: read(given.key),
  ...(given.group && { ecdhCurve: given.group }),
  ...(given.alpn && { ALPNProtocols: [given.alpn] }),
  ...(given.psk && {
    // The one is asked as a server, with a socket first; the other as a client.
    pskCallback: (socket, shown) => (shown === identity ? psk : socket === null ? { psk, identity } : null),
    checkServerIdentity: () => undefined,
  }),
  ...(given.tickets === "no" && { secureOptions: constants.SSL_OP_NO_TICKET }),
};

function fail(why) {
  console.error(why);
  process.exit(1);
}

function serve() {
  const server = tls.createServer({
    ...options,
    requestCert: given.request === "yes",
    rejectUnauthorized: given.request === "yes",
  });
  const sessions = new Map(); // by session id: only asked for where there are no tickets
  server.on("newSession", (id, session, done) => {
    sessions.set(id.toString("hex"), session);
    done();
  });
  server.on("resumeSession", (id, done) => done(null, sessions.get(id.toString("hex")) ?? null));
  server.on("secureConnection", (socket) => {
    socket.setTimeout(PATIENCE, () => socket.destroy());
    socket.on("error", (error) => console.log("connection failed:", error.message));
    socket.pipe(socket);
  });
  server.on("tlsClientError", (error) => console.log("handshake failed:", error.message));
  server.listen(0, "127.0.0.1", () => console.log(`listening on port ${server.address().port}`));
}

function visit(session, resumed) {
  const payload = read(given.payload);
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...options,
      host: "127.0.0.1",
      port: Number(given.port),
      servername: "server.example",
      session,
    });
    let last = null;
    let length = 0;
    const chunks = [];
    socket.setTimeout(PATIENCE, () => fail("nothing happened"));
    socket.on("error", (error) => fail(error.message));
    socket.on("session", (made) => (last = made));
    socket.on("secureConnect", () => {
      if (!given.psk && socket.isSessionReused() !== resumed) fail(`resumed is ${socket.isSessionReused()}`);
      if ((socket.alpnProtocol || undefined) !== given.alpn) fail(`agreed on ${socket.alpnProtocol}`);
      socket.write(payload);
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= payload.length) socket.end();
    });
    socket.on("close", () => {
      if (!Buffer.concat(chunks).equals(payload)) fail(`${length} bytes came back of ${payload.length}`);
      console.log("visited");
      resolve(last ?? session);
    });
  });
}

if (given.mode === "serve") {
  serve();
} else {
  let session;
  for (let turn = 0; turn < Number(given.times); turn++) session = await visit(session, turn > 0);
}
