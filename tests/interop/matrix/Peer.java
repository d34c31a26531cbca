// Java's JSSE as a peer.  The arguments are those of tests/support/programs.py.
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Peer {
    static final int PATIENCE = 20_000;
    static final Map<String, String> GIVEN = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        for (String argument : arguments) {
            String[] parts = argument.split("=", 2);
            GIVEN.put(parts[0], parts[1]);
        }
        if (GIVEN.containsKey("group")) System.setProperty("jdk.tls.namedGroups", GIVEN.get("group"));
        if ("no".equals(GIVEN.get("tickets"))) {
            System.setProperty("jdk.tls.server.enableSessionTicketExtension", "false");
            System.setProperty("jdk.tls.client.enableSessionTicketExtension", "false");
        }
        if (GIVEN.get("mode").equals("serve")) serve(context());
        else visit(context());
    }

    static SSLContext context() throws Exception {
        KeyStore trusted = emptyStore();
        trusted.setCertificateEntry("root", certificates("ca")[0]);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyStore own = emptyStore();
        if (GIVEN.containsKey("cert")) own.setKeyEntry("own", key(), new char[0], certificates("cert"));
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, new char[0]);
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return made;
    }

    static KeyStore emptyStore() throws Exception {
        KeyStore made = KeyStore.getInstance("PKCS12");
        made.load(null, null);
        return made;
    }

    static Certificate[] certificates(String name) throws Exception {
        byte[] pem = Files.readAllBytes(Path.of(GIVEN.get(name)));
        return CertificateFactory.getInstance("X.509")
            .generateCertificates(new ByteArrayInputStream(pem))
            .toArray(new Certificate[0]);
    }

    static PrivateKey key() throws Exception {
        String pem = Files.readString(Path.of(GIVEN.get("key")));
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    static SSLParameters common(SSLParameters parameters) {
        parameters.setProtocols(new String[] {"TLSv" + GIVEN.get("version")});
        if (GIVEN.containsKey("alpn")) parameters.setApplicationProtocols(new String[] {GIVEN.get("alpn")});
        return parameters;
    }

    static void serve(SSLContext context) throws Exception {
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
            .createServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        SSLParameters parameters = common(listener.getSSLParameters());
        parameters.setNeedClientAuth("yes".equals(GIVEN.get("request")));
        listener.setSSLParameters(parameters);
        System.out.println("listening on port " + listener.getLocalPort());
        while (true) {
            SSLSocket socket = (SSLSocket) listener.accept();
            new Thread(() -> answer(socket)).start();
        }
    }

    static void answer(SSLSocket socket) {
        try (socket) {
            socket.setSoTimeout(PATIENCE);
            socket.getInputStream().transferTo(socket.getOutputStream());
        } catch (IOException error) {
            System.out.println("connection failed: " + error);
        }
    }

    static void visit(SSLContext context) throws Exception {
        byte[] payload = Files.readAllBytes(Path.of(GIVEN.get("payload")));
        int port = Integer.parseInt(GIVEN.get("port"));
        for (int turn = 0; turn < Integer.parseInt(GIVEN.get("times")); turn++) {
            Socket plain = new Socket("127.0.0.1", port);
            plain.setSoTimeout(PATIENCE);
            // The name is for the certificate, and with the port it is what sessions are kept under.
            SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, "server.example", port, true);
            SSLParameters parameters = common(socket.getSSLParameters());
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(parameters);
            socket.startHandshake();
            String agreed = socket.getApplicationProtocol();
            if (!agreed.equals(GIVEN.getOrDefault("alpn", ""))) throw new IOException("agreed on " + agreed);
            Thread writer = new Thread(() -> write(socket, payload));
            writer.start();
            InputStream input = socket.getInputStream();
            byte[] back = input.readNBytes(payload.length);
            if (!Arrays.equals(back, payload)) throw new IOException(back.length + " bytes came back");
            writer.join(PATIENCE);
            socket.close();
            System.out.println("visited");
        }
    }

    static void write(SSLSocket socket, byte[] payload) {
        try {
            socket.getOutputStream().write(payload);
        } catch (IOException error) {
            System.out.println("writing failed: " + error);
        }
    }
}
