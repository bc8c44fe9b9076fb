// Reads an event in JSON from standard input into Flux's own type, refuses what that does not know or requires, and prints it
// as Flux would.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	eventv1 "github.com/fluxcd/pkg/apis/event/v1beta1"
)

func main() {
	var event eventv1.Event
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&event); err != nil {
		fail(err.Error())
	}
	object := event.InvolvedObject
	for name, value := range map[string]string{
		"kind": object.Kind, "namespace": object.Namespace, "name": object.Name, "apiVersion": object.APIVersion,
		"message": event.Message, "reason": event.Reason, "reportingController": event.ReportingController,
	} {
		if value == "" {
			fail(name + " is missing")
		}
	}
	if event.Severity != eventv1.EventSeverityInfo && event.Severity != eventv1.EventSeverityError {
		fail("severity is " + event.Severity)
	}
	if event.Timestamp.IsZero() {
		fail("timestamp is missing")
	}
	if err := json.NewEncoder(os.Stdout).Encode(event); err != nil {
		fail(err.Error())
	}
}

func fail(problem string) {
	fmt.Fprintln(os.Stderr, problem)
	os.Exit(1)
}
