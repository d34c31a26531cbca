// Go's crypto/tls as a peer.  The arguments are those of tests/support/programs.py.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const patience = 60 * time.Second

var groups = map[string]tls.CurveID{"P-384": tls.CurveP384, "X25519MLKEM768": tls.X25519MLKEM768}

func main() {
	log.SetFlags(0)
	arguments := map[string]string{}
	for _, argument := range os.Args[1:] {
		name, value, _ := strings.Cut(argument, "=")
		arguments[name] = value
	}
	config := configure(arguments)
	if arguments["mode"] == "serve" {
		serve(config)
	} else {
		visit(config, arguments)
	}
}

func configure(arguments map[string]string) *tls.Config {
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[arguments["version"]]
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(read(arguments["ca"]))
	config := &tls.Config{
		MinVersion:             version,
		MaxVersion:             version,
		RootCAs:                roots,
		ClientCAs:              roots,
		ServerName:             "server.example",
		SessionTicketsDisabled: arguments["tickets"] == "no",
		ClientSessionCache:     tls.NewLRUClientSessionCache(8),
	}
	if group, named := arguments["group"]; named {
		config.CurvePreferences = []tls.CurveID{groups[group]}
	}
	if protocol, named := arguments["alpn"]; named {
		config.NextProtos = []string{protocol}
	}
	if arguments["cert"] != "" {
		certificate, err := tls.LoadX509KeyPair(arguments["cert"], arguments["key"])
		check(err)
		config.Certificates = []tls.Certificate{certificate}
	}
	if arguments["request"] == "yes" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config
}

func serve(config *tls.Config) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("listening on port %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := listener.Accept()
		check(err)
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			secured := tls.Server(conn, config)
			defer secured.Close()
			_, err := io.Copy(secured, secured)
			fmt.Println("connection ended:", err)
		}()
	}
}

func visit(config *tls.Config, arguments map[string]string) {
	times, err := strconv.Atoi(arguments["times"])
	check(err)
	payload := read(arguments["payload"])
	for turn := 0; turn < times; turn++ {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+arguments["port"], patience)
		check(err)
		conn.SetDeadline(time.Now().Add(patience))
		secured := tls.Client(conn, config)
		check(secured.Handshake())
		state := secured.ConnectionState()
		if state.DidResume != (turn > 0) {
			log.Fatalf("turn %d: resumed is %t", turn, state.DidResume)
		}
		if state.NegotiatedProtocol != arguments["alpn"] {
			log.Fatalf("agreed on %q", state.NegotiatedProtocol)
		}
		go func() {
			_, err := secured.Write(payload)
			check(err)
			check(secured.CloseWrite())
		}()
		back, err := io.ReadAll(secured)
		check(err)
		if !bytes.Equal(back, payload) {
			log.Fatalf("%d bytes came back, %d were sent", len(back), len(payload))
		}
		secured.Close()
		fmt.Println("visited")
	}
}

func read(path string) []byte {
	content, err := os.ReadFile(path)
	check(err)
	return content
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
