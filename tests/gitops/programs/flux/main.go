// flux-status says what kstatus and Flux's rules for conditions make of objects: a JSON list of them on stdin, a JSON list of
// verdicts on stdout, in the same order.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/runtime/conditions/check"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type verdict struct {
	Kstatus string `json:"kstatus"`
	Message string `json:"message"`
	// What is broken of the rules for the end of a reconciliation, and of those for while it goes on.
	End     string `json:"end"`
	GoingOn string `json:"goingOn"`
	// The same of Flux's recommendations.
	EndWarnings     string `json:"endWarnings"`
	GoingOnWarnings string `json:"goingOnWarnings"`
}

func judge(object *unstructured.Unstructured) (verdict, error) {
	result, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	abnormal := &check.Conditions{NegativePolarity: []string{meta.StalledCondition, meta.ReconcilingCondition}}
	end, goingOn := check.NewChecker(nil, abnormal), check.NewInProgressChecker(nil)
	end.DisableFetch, goingOn.DisableFetch = true, true
	of := conditions.UnstructuredGetter(object)
	endBroken, endWarnings := end.Check(context.Background(), of)
	goingOnBroken, goingOnWarnings := goingOn.Check(context.Background(), of)
	return verdict{
		Kstatus:         result.Status.String(),
		Message:         result.Message,
		End:             text(endBroken),
		GoingOn:         text(goingOnBroken),
		EndWarnings:     text(endWarnings),
		GoingOnWarnings: text(goingOnWarnings),
	}, nil
}

func run() error {
	var objects []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return err
	}
	verdicts := []verdict{}
	for _, object := range objects {
		// Numbers as an API server's client has them.
		text, err := json.Marshal(object)
		if err != nil {
			return err
		}
		read := &unstructured.Unstructured{}
		if err := read.UnmarshalJSON(text); err != nil {
			return err
		}
		judged, err := judge(read)
		if err != nil {
			return fmt.Errorf("%s: %w", read.GetName(), err)
		}
		verdicts = append(verdicts, judged)
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
