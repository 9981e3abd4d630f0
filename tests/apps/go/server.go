// A server in Go, which makes its system calls itself. On SIGTERM it finishes what it has, as a Go server should.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(answer, "pid=%d id=%s\n", os.Getpid(), os.Getenv("PROCESS_LOGICAL_ID"))
	})
	server := &http.Server{Addr: os.Getenv("HOST") + ":" + os.Getenv("PORT")}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		<-term
		server.Shutdown(context.Background())
		close(done)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-done
}
