// Package simulator is `payg-dev simulator` as a process, and a client of its control API (crates/simulator/README.md).
package simulator

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Object is a JSON object.
type Object = map[string]any

// Simulator is one that runs.
type Simulator struct {
	URL string
	// HTTP trusts it and nobody else.
	HTTP *http.Client
}

// Run runs the tests against a simulator whose billing clock shows start at first, and ends the process. To be called by TestMain.
func Run(tests *testing.M, running **Simulator, start time.Time) {
	// The process ends with the thread that started it, which this keeps.
	runtime.LockOSThread()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"AZURE_", "MSI_", "IDENTITY_", "IMDS_", "AWS_"} {
			if strings.HasPrefix(strings.ToUpper(name), prefix) || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
				os.Unsetenv(name) // nothing of the environment may lead anywhere but to the simulator
			}
		}
	}
	code := 1
	folder, err := os.MkdirTemp("", "payg-sdk-")
	if err == nil {
		code, err = run(tests, running, folder, start)
	}
	os.RemoveAll(folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the simulator did not start:", err)
	}
	os.Exit(code)
}

func run(tests *testing.M, running **Simulator, folder string, start time.Time) (int, error) {
	caFile, urlFile := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "url")
	command := exec.Command(os.Getenv("PAYG_DEV"), "simulator", "--ca-file", caFile, "--url-file", urlFile,
		"--billing-start", start.Format(time.RFC3339), "--billing-origin", time.Now().UTC().Format(time.RFC3339), "--billing-rate", "1")
	var log bytes.Buffer
	command.Stderr = &log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return 1, err
	}
	defer command.Wait()
	defer command.Process.Kill()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(urlFile); err == nil {
			break
		}
		if time.Now().After(deadline) {
			return 1, fmt.Errorf("it takes too long: %s", log.String())
		}
	}
	url, err := os.ReadFile(urlFile)
	if err != nil {
		return 1, err
	}
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return 1, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	*running = &Simulator{URL: string(url), HTTP: &http.Client{Transport: transport}}
	return tests.Run(), nil
}

// Control makes a call of the control API that must succeed, and decodes the answer.
func (s *Simulator) Control(t *testing.T, method, path string, body any, into ...any) {
	t.Helper()
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, s.URL+"/_sim/"+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 400 {
		t.Fatalf("%s /_sim/%s: %d %s %v", method, path, response.StatusCode, text, err)
	}
	for _, into := range into {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
}

// Fault spoils what is answered to an operation on the account, so many times; 0: for ever. All faults end with the test.
func (s *Simulator) Fault(t *testing.T, operation, account string, kind any, count int) {
	t.Helper()
	fault := Object{"operation": operation, "kind": kind}
	if account != "" {
		fault["account"] = account
	}
	if count > 0 {
		fault["count"] = count
	}
	s.Control(t, http.MethodPost, "faults", fault)
	t.Cleanup(func() { s.Control(t, http.MethodDelete, "faults", nil) })
}

// Statuses are how the requests of an operation on the account were answered; 0: the connection was cut.
func (s *Simulator) Statuses(t *testing.T, account, operation string) []int {
	t.Helper()
	var asked []struct{ Status int }
	s.Control(t, http.MethodGet, "requests?account="+account+"&operation="+operation, nil, &asked)
	statuses := make([]int, len(asked))
	for i, one := range asked {
		statuses[i] = one.Status
	}
	return statuses
}

// Upgrades are what was really applied to the account.
func (s *Simulator) Upgrades(t *testing.T, account string) []any {
	t.Helper()
	var ledger []Object
	s.Control(t, http.MethodGet, "ledger", nil, &ledger)
	var by []any
	for _, entry := range ledger {
		if entry["account"] == account {
			by = append(by, entry["by"])
		}
	}
	return by
}
