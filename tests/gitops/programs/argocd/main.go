// argocd-lua runs what deploy/argocd adds to Argo CD, by Argo CD's own code.
//
//	argocd-lua test CONFIGMAP DIRECTORY          the *_test.yaml files beneath, in the way of argo-cd's own tests
//	argocd-lua health CONFIGMAP < OBJECTS        the health of each of a JSON list of objects, as a JSON list
//	argocd-lua action CONFIGMAP NAME [PARAMETER=VALUE]... < OBJECT
//	                                             what an action creates and patches, as a JSON list
//
// CONFIGMAP is the file of an argocd-cm. Nothing of the customizations that Argo CD brings is of our kinds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	_ "time/tzdata" // for TZ on machines without zones

	applicationpkg "github.com/argoproj/argo-cd/v3/pkg/apiclient/application"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

const namespace = "argocd"

// virtualMachine is one as the API server of Argo CD would make it with this argocd-cm.
func virtualMachine(file string) (lua.VM, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return lua.VM{}, err
	}
	config := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(text, config); err != nil {
		return lua.VM{}, err
	}
	config.Namespace = namespace
	if config.Labels["app.kubernetes.io/part-of"] != "argocd" {
		return lua.VM{}, errors.New("Argo CD does not look at a ConfigMap without its label")
	}
	secret := &corev1.Secret{}
	secret.Name, secret.Namespace, secret.Labels = "argocd-secret", namespace, config.Labels
	manager := settings.NewSettingsManager(context.Background(), fake.NewClientset(config, secret), namespace)
	overrides, err := manager.GetResourceOverrides()
	return lua.VM{ResourceOverrides: overrides}, err
}

func health(vm lua.VM, object *unstructured.Unstructured) (any, error) {
	script, openLibs, err := vm.GetHealthScript(object)
	if err != nil {
		return nil, err
	}
	if script == "" {
		return nil, fmt.Errorf("there is no health.lua for %s", object.GroupVersionKind())
	}
	vm.UseOpenLibs = openLibs
	return vm.ExecuteHealthLua(object, script)
}

func healths(vm lua.VM) (any, error) {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return nil, err
	}
	found := []any{}
	for _, text := range objects {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		one, err := health(vm, object)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func act(vm lua.VM, object *unstructured.Unstructured, name string, parameters map[string]string) ([]lua.ImpactedResource, error) {
	action, err := vm.GetResourceAction(object, name)
	if err != nil {
		return nil, err
	}
	var given []*applicationpkg.ResourceActionParameters
	for name, value := range parameters {
		given = append(given, &applicationpkg.ResourceActionParameters{Name: &name, Value: &value})
	}
	return vm.ExecuteResourceAction(object, action.ActionLua, given)
}

func action(vm lua.VM, name string, arguments []string) (any, error) {
	object := &unstructured.Unstructured{}
	if err := json.NewDecoder(os.Stdin).Decode(object); err != nil {
		return nil, err
	}
	parameters := map[string]string{}
	for _, argument := range arguments {
		name, value, _ := strings.Cut(argument, "=")
		parameters[name] = value
	}
	return act(vm, object, name, parameters)
}

func run(arguments []string) (any, error) {
	if len(arguments) < 2 {
		return nil, errors.New("usage: argocd-lua test|health|action CONFIGMAP …")
	}
	vm, err := virtualMachine(arguments[1])
	if err != nil {
		return nil, err
	}
	rest := arguments[2:]
	switch {
	case arguments[0] == "test" && len(rest) == 1:
		return test(vm, rest[0])
	case arguments[0] == "health" && len(rest) == 0:
		return healths(vm)
	case arguments[0] == "action" && len(rest) > 0:
		return action(vm, rest[0], rest[1:])
	}
	return nil, fmt.Errorf("not understood: %v", arguments)
}

func main() {
	result, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
