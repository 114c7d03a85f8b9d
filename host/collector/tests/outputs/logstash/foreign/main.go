// Receives documents by Elastic's own server of the Lumberjack protocol and prints them, one a line, before it acknowledges them.
// Its argument is the address; with a certificate and a key after it, it uses TLS.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"log"
	"os"

	"github.com/elastic/go-lumber/server"
)

func main() {
	options := []server.Option{server.V2(true)}
	if len(os.Args) > 3 {
		pair, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, server.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}))
	}
	lumberjack, err := server.ListenAndServe(os.Args[1], options...)
	if err != nil {
		log.Fatal(err)
	}
	for batch := range lumberjack.ReceiveChan() {
		out := bufio.NewWriter(os.Stdout)
		for _, event := range batch.Events {
			if err := json.NewEncoder(out).Encode(event); err != nil {
				log.Fatal(err)
			}
		}
		if err := out.Flush(); err != nil {
			log.Fatal(err)
		}
		batch.ACK()
	}
}
