package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	appsv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/diff"
	enginehealth "github.com/argoproj/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// The forms of the files, and what is compared with what, are those of argo-cd's util/lua/health_test.go and
// custom_actions_test.go.

type healthTests struct {
	Tests []struct {
		InputPath    string                    `json:"inputPath"`
		HealthStatus enginehealth.HealthStatus `json:"healthStatus"`
	} `json:"tests"`
}

type actionTests struct {
	DiscoveryTests []struct {
		InputPath string                  `json:"inputPath"`
		Result    []appsv1.ResourceAction `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action               string            `json:"action"`
		InputPath            string            `json:"inputPath"`
		ExpectedOutputPath   string            `json:"expectedOutputPath"`
		ExpectedErrorMessage string            `json:"expectedErrorMessage"`
		Parameters           map[string]string `json:"parameters"`
	} `json:"actionTests"`
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func object(path string) (*unstructured.Unstructured, error) {
	read_ := map[string]any{}
	return &unstructured.Unstructured{Object: read_}, read(path, &read_)
}

// test returns the names of the tests that passed, and an error if any did not.
func test(vm lua.VM, directory string) (any, error) {
	passed, failures := []string{}, []error{}
	note := func(name string, err error) {
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		} else {
			passed = append(passed, name)
		}
	}
	err := filepath.WalkDir(directory, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch filepath.Base(path) {
		case "health_test.yaml":
			return testHealth(vm, filepath.Dir(path), note)
		case "action_test.yaml":
			return testActions(vm, filepath.Dir(path), note)
		}
		return nil
	})
	return passed, errors.Join(append(failures, err)...)
}

func testHealth(vm lua.VM, directory string, note func(string, error)) error {
	var tests healthTests
	if err := read(filepath.Join(directory, "health_test.yaml"), &tests); err != nil {
		return err
	}
	named := []string{}
	for _, test := range tests.Tests {
		path := filepath.Join(directory, test.InputPath)
		named = append(named, path)
		note("health/"+filepath.Base(directory)+"/"+test.InputPath, func() error {
			object, err := object(path)
			if err != nil {
				return err
			}
			found, err := health(vm, object)
			if err == nil && *found.(*enginehealth.HealthStatus) != test.HealthStatus {
				err = fmt.Errorf("is %+v, not %+v", *found.(*enginehealth.HealthStatus), test.HealthStatus)
			}
			return err
		}())
	}
	// Beside what argo-cd's own tests do: no status of the operator goes untested.
	files, err := filepath.Glob(filepath.Join(directory, "testdata", "*.yaml"))
	for _, file := range files {
		if !slices.Contains(named, file) {
			note(file, errors.New("health_test.yaml does not name it"))
		}
	}
	return err
}

func testActions(vm lua.VM, directory string, note func(string, error)) error {
	var tests actionTests
	if err := read(filepath.Join(directory, "action_test.yaml"), &tests); err != nil {
		return err
	}
	for _, test := range tests.DiscoveryTests {
		note("discovery/"+test.InputPath, testDiscovery(vm, filepath.Join(directory, test.InputPath), test.Result))
	}
	for _, test := range tests.ActionTests {
		note("actions/"+test.Action+"/"+test.InputPath, func() error {
			source, err := object(filepath.Join(directory, test.InputPath))
			if err != nil {
				return err
			}
			impacted, err := act(vm, source, test.Action, test.Parameters)
			if test.ExpectedErrorMessage != "" {
				if err == nil || err.Error() != test.ExpectedErrorMessage {
					return fmt.Errorf("ends with %v, not with: %s", err, test.ExpectedErrorMessage)
				}
				return nil
			}
			if err != nil {
				return err
			}
			return testImpacted(impacted, source, filepath.Join(directory, test.ExpectedOutputPath))
		}())
	}
	return nil
}

func testDiscovery(vm lua.VM, path string, expected []appsv1.ResourceAction) error {
	object, err := object(path)
	if err != nil {
		return err
	}
	scripts, err := vm.GetResourceActionDiscovery(object)
	if err != nil {
		return err
	}
	vm.UseOpenLibs = true
	found, err := vm.ExecuteResourceActionDiscovery(object, scripts)
	if err != nil {
		return err
	}
	if len(found) != len(expected) {
		return fmt.Errorf("finds %+v, not %+v", found, expected)
	}
	for _, action := range found {
		if !slices.ContainsFunc(expected, func(other appsv1.ResourceAction) bool { return same(action, other) }) {
			return fmt.Errorf("finds %+v, which is not in %+v", action, expected)
		}
	}
	return nil
}

func same(one, other appsv1.ResourceAction) bool {
	return one.Name == other.Name && one.Disabled == other.Disabled && one.DisplayName == other.DisplayName &&
		one.IconClass == other.IconClass && slices.Equal(one.Params, other.Params)
}

// normalizer leaves out when an action was run. argo-cd's tests need the same for this kind, in their own testNormalizer.
type normalizer struct{}

func (normalizer) Normalize(object *unstructured.Unstructured) error {
	if object == nil || object.GetKind() != "Subscription" {
		return nil
	}
	at := map[string]string{"payg-operator.io/requested-at": "0001-01-01T00:00:00Z"}
	return unstructured.SetNestedStringMap(object.Object, at, "metadata", "annotations")
}

func testImpacted(impacted []lua.ImpactedResource, source *unstructured.Unstructured, path string) error {
	expected, err := expectedObjects(path)
	if err != nil {
		return err
	}
	if len(impacted) != len(expected) {
		return fmt.Errorf("has an effect on %d objects, not on %d", len(impacted), len(expected))
	}
	for i, resource := range impacted {
		found := resource.UnstructuredObj
		if resource.K8SOperation == lua.PatchOperation && (found.GroupVersionKind() != source.GroupVersionKind() ||
			found.GetName() != source.GetName() || found.GetNamespace() != source.GetNamespace()) {
			return errors.New("only the object itself may be patched")
		}
		result, err := diff.Diff(expected[i], found, diff.WithNormalizer(normalizer{}))
		if err != nil {
			return err
		}
		if result.Modified {
			return fmt.Errorf("makes %s of it, not %s", result.NormalizedLive, result.PredictedLive)
		}
	}
	return nil
}

// expectedObjects reads one object, or a list of new ones.
func expectedObjects(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if text[0] != '-' {
		one, err := object(path)
		return []*unstructured.Unstructured{one}, err
	}
	var list []struct {
		UnstructuredObj map[string]any `json:"unstructuredObj"`
		K8SOperation    string         `json:"k8sOperation"`
	}
	err = yaml.UnmarshalStrict(text, &list)
	objects := []*unstructured.Unstructured{}
	for _, item := range list {
		objects = append(objects, &unstructured.Unstructured{Object: item.UnstructuredObj})
	}
	return objects, err
}
