// Package azure has the simulator taken for Azure by Microsoft's SDKs for Go.
package azure

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
	"github.com/google/uuid"
	"payg-operator.io/tests/sdk/simulator"
)

type object = simulator.Object

const (
	armScope    = "https://management.azure.com/.default"
	brokerScope = "api://payg-broker/.default"
	trial       = "FreeTrial_2014-09-01"
	payg        = "PayAsYouGo_2014-09-01"
)

var sim *simulator.Simulator

func TestMain(m *testing.M) {
	// Accounts start before it: the phases of their lives need no waiting.
	simulator.Run(m, &sim, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
}

// tenant is one of the simulated Azure with an account, by default a free trial in its tenth day, and an application that may
// read all of it.
type tenant struct {
	t                           *testing.T
	id, account, client, secret string
	answers                     recorder
}

func newTenant(t *testing.T, settings object) *tenant {
	t.Helper()
	one := &tenant{t: t, id: uuid.NewString(), account: uuid.NewString(), client: uuid.NewString(), secret: "not-a-secret"}
	one.application(nil)
	one.add(one.account, with(object{"startTime": "2026-05-22T00:00:00Z"}, settings))
	return one
}

// application replaces the application.
func (o *tenant) application(settings object) {
	o.t.Helper()
	ids := object{"tenantId": o.id, "clientId": o.client, "clientSecret": o.secret, "subscriptions": "*", "broker": true}
	sim.Control(o.t, http.MethodPost, "clients", with(ids, settings))
}

// add adds an account to the tenant.
func (o *tenant) add(id string, settings object) string {
	o.t.Helper()
	sim.Control(o.t, http.MethodPost, "accounts", with(object{"subscriptionId": id, "tenantId": o.id}, settings))
	return id
}

// do has `portal-upgrade`, `cancel`, `leave-unpaid`, `pay`, or the whole credit spent.
func (o *tenant) do(action string) {
	o.t.Helper()
	var body any
	if action == "spend" {
		body = object{"amount": "200"}
	}
	sim.Control(o.t, http.MethodPost, "accounts/"+o.account+"/"+action, body)
}

// options are whom every client asks and trusts, and how patient it is.
func (o *tenant) options() policy.ClientOptions {
	services := map[cloud.ServiceName]cloud.ServiceConfiguration{
		cloud.ResourceManager: {Endpoint: sim.URL, Audience: "https://management.azure.com"},
	}
	return policy.ClientOptions{
		Cloud:           cloud.Configuration{ActiveDirectoryAuthorityHost: sim.URL, Services: services},
		Transport:       sim.HTTP,
		Retry:           policy.RetryOptions{MaxRetries: 3, RetryDelay: time.Millisecond},
		PerCallPolicies: []policy.Policy{&o.answers},
	}
}

func (o *tenant) credential() azcore.TokenCredential {
	o.t.Helper()
	options := &azidentity.ClientSecretCredentialOptions{ClientOptions: o.options(), DisableInstanceDiscovery: true}
	credential, err := azidentity.NewClientSecretCredential(o.id, o.client, o.secret, options)
	return must(o.t, credential, err)
}

func (o *tenant) subscriptions(credential azcore.TokenCredential) *armsubscriptions.Client {
	o.t.Helper()
	client, err := armsubscriptions.NewClient(credential, &arm.ClientOptions{ClientOptions: o.options()})
	return must(o.t, client, err)
}

// subscription is what the SDK reads, once it reads all of the answer.
func (o *tenant) subscription() armsubscriptions.Subscription {
	o.t.Helper()
	answer, err := o.subscriptions(o.credential()).Get(context.Background(), o.account, nil)
	must(o.t, answer, err)
	o.readsBack(answer.Subscription)
	return answer.Subscription
}

// readsBack fails unless the model has all that the last answer said, and nothing else.
func (o *tenant) readsBack(model any) {
	o.t.Helper()
	written, err := json.Marshal(model)
	if err != nil {
		o.t.Fatal(err)
	}
	var again, answered any
	if err := errors.Join(json.Unmarshal(written, &again), json.Unmarshal(o.answers.last, &answered)); err != nil {
		o.t.Fatal(err)
	}
	if !reflect.DeepEqual(again, answered) {
		o.t.Errorf("%s reads back as %s", o.answers.last, written)
	}
}

// recorder keeps the body of the last good answer.
type recorder struct{ last []byte }

func (r *recorder) Do(request *policy.Request) (*http.Response, error) {
	response, err := request.Next()
	if err == nil && response.StatusCode == http.StatusOK {
		r.last, err = runtime.Payload(response)
	}
	return response, err
}

// given is a credential with a token that is given.
type given string

func (g given) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(g), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// token gets one.
func token(credential azcore.TokenCredential, scopes ...string) (azcore.AccessToken, error) {
	return credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: scopes})
}

// refused is the error of Resource Manager, which must have this status and this code.
func refused(t *testing.T, err error, status int, code string) *azcore.ResponseError {
	t.Helper()
	var refusal *azcore.ResponseError
	if !errors.As(err, &refusal) {
		t.Fatalf("it was not refused: %v", err)
	}
	if refusal.StatusCode != status || refusal.ErrorCode != code {
		t.Fatalf("%d %s, and not %d %s", refusal.StatusCode, refusal.ErrorCode, status, code)
	}
	return refusal
}

func with(base, changes object) object {
	whole := object{}
	for _, part := range []object{base, changes} {
		for name, value := range part {
			whole[name] = value
		}
	}
	return whole
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func equal[T any](t *testing.T, found, expected T) {
	t.Helper()
	if !reflect.DeepEqual(found, expected) {
		t.Errorf("it is %v, and not %v", found, expected)
	}
}
