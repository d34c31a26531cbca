// A server on Go's crypto/tls with ticket keys that it is given; each connection is told whether it was resumed, and
// how many verified chains it has.
//
// Arguments: name=value.  cert, key and ca are PEM files, keys hexadecimal with commas between them, version 1.2 or
// 1.3, auth one of the values of tls.ClientAuthType.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return value
}

func configured(given map[string]string) *tls.Config {
	version := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[given["version"]]
	config := &tls.Config{
		Certificates: []tls.Certificate{must(tls.LoadX509KeyPair(given["cert"], given["key"]))},
		ClientAuth:   tls.ClientAuthType(must(strconv.Atoi(given["auth"]))),
		MinVersion:   version,
		MaxVersion:   version,
	}
	if config.ClientAuth >= tls.VerifyClientCertIfGiven { // otherwise their names would keep others from showing one
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(must(os.ReadFile(given["ca"])))
	}
	var keys [][32]byte
	for _, text := range strings.Split(given["keys"], ",") {
		keys = append(keys, [32]byte(must(hex.DecodeString(text))))
	}
	config.SetSessionTicketKeys(keys)
	return config
}

func answer(connection *tls.Conn) {
	defer connection.Close()
	buffer := make([]byte, 100)
	if _, err := connection.Read(buffer); err != nil {
		return
	}
	state := connection.ConnectionState()
	fmt.Fprintf(connection, "%v %d\n", state.DidResume, len(state.VerifiedChains))
}

func main() {
	given := map[string]string{}
	for _, argument := range os.Args[1:] {
		name, value, _ := strings.Cut(argument, "=")
		given[name] = value
	}
	listener := must(tls.Listen("tcp", "127.0.0.1:0", configured(given)))
	fmt.Printf("listening on port %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		go answer(must(listener.Accept()).(*tls.Conn))
	}
}
