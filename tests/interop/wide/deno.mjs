// Deno's own interfaces (rustls) as a peer.  The arguments are those of tests/support/programs.py; of the versions
// that it has none can be left out.
const given = Object.fromEntries(Deno.args.map((argument) => argument.split(/=(.*)/s)));
const read = (path) => Deno.readTextFileSync(path);

async function serve() {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: read(given.cert), key: read(given.key) });
  console.log(`listening on port ${listener.addr.port}`);
  for await (const connection of listener) {
    connection.readable.pipeTo(connection.writable).catch((error) => console.log("failed:", error.message));
  }
}

async function visit() {
  const client = Deno.createHttpClient({ caCerts: [read(given.ca)], http2: false });
  const body = read(given.payload);
  for (let turn = 1; turn <= Number(given.times); turn++) {
    const path = turn < Number(given.times) ? "close" : ""; // otherwise there is no second connection
    const answer = await fetch(`https://127.0.0.1:${given.port}/${path}`, { method: "POST", body, client });
    if ((await answer.text()) !== body) throw new Error("something else came back");
    console.log("visited");
  }
  client.close();
}

await (given.mode === "serve" ? serve() : visit());
