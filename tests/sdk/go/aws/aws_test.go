// Package aws has the simulator taken for AWS by its SDK for Go.
package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"payg-operator.io/tests/sdk/simulator"
)

type object = simulator.Object

var (
	sim  *simulator.Simulator
	made int
	ctx  = context.Background()
)

func TestMain(m *testing.M) {
	// The SDK corrects its clock by what answers are dated, so the billing clock is the wall clock.
	simulator.Run(m, &sim, time.Now().UTC())
}

// customer has an account of the simulated AWS, by default on the free plan in its tenth day, and a user who may do everything.
type customer struct {
	t           *testing.T
	id, user    string
	keyID       string
	credentials aws.CredentialsProvider
	region      string
	attempts    int
}

// newCustomer makes one whose account started so many days ago.
func newCustomer(t *testing.T, days int, settings object) *customer {
	t.Helper()
	made++
	id := fmt.Sprint(333_333_333_333 + made)
	one := &customer{t: t, id: id, user: "arn:aws:iam::" + id + ":user/payg", region: "us-east-1", attempts: 1}
	one.keyID = fmt.Sprintf("AKIA%016d", made)
	one.credentials = credentials.NewStaticCredentialsProvider(one.keyID, "not-a-secret", "")
	whole := object{"accountId": id, "startTime": one.now().AddDate(0, 0, -days).Format(time.RFC3339)}
	for name, value := range settings {
		whole[name] = value
	}
	sim.Control(t, http.MethodPost, "accounts", whole)
	one.allow("*")
	return one
}

// now is what the billing clock shows.
func (c *customer) now() time.Time {
	var clock struct{ BillingTime time.Time }
	sim.Control(c.t, http.MethodGet, "clock", nil, &clock)
	return clock.BillingTime
}

// allow replaces the user by one who may do this only.
func (c *customer) allow(actions ...string) {
	user := object{"accountId": c.id, "allow": actions, "accessKeyId": c.keyID, "secretAccessKey": "not-a-secret"}
	sim.Control(c.t, http.MethodPost, "clients", user)
}

// role makes or replaces a role. The answer is its ARN.
func (c *customer) role(settings object) string {
	arn := "arn:aws:iam::" + c.id + ":role/payg-operator"
	whole := object{"accountId": c.id, "roleArn": arn, "allow": []string{"*"}}
	for name, value := range settings {
		whole[name] = value
	}
	sim.Control(c.t, http.MethodPost, "clients", whole)
	return arn
}

// do has `portal-upgrade` or `cancel`.
func (c *customer) do(action string) {
	sim.Control(c.t, http.MethodPost, "accounts/"+c.id+"/"+action, nil)
}

// as is the same account, with other credentials.
func (c *customer) as(session *types.Credentials) *customer {
	other := *c
	other.credentials = credentials.NewStaticCredentialsProvider(*session.AccessKeyId, *session.SecretAccessKey, *session.SessionToken)
	return &other
}

func (c *customer) config() aws.Config {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.TLSClientConfig = sim.HTTP.Transport.(*http.Transport).TLSClientConfig.Clone()
	})
	return aws.Config{
		Region: c.region, BaseEndpoint: &sim.URL, Credentials: c.credentials, HTTPClient: client,
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(options *retry.StandardOptions) { options.MaxAttempts = c.attempts })
		},
	}
}

func (c *customer) sts() *sts.Client { return sts.NewFromConfig(c.config()) }

func (c *customer) information() (*account.GetAccountInformationOutput, error) {
	return account.NewFromConfig(c.config()).GetAccountInformation(ctx, &account.GetAccountInformationInput{})
}

func (c *customer) identity() (*sts.GetCallerIdentityOutput, error) {
	return c.sts().GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
}

func (c *customer) assume(role string, change func(*sts.AssumeRoleInput)) (*sts.AssumeRoleOutput, error) {
	input := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("check")}
	if change != nil {
		change(input)
	}
	return c.sts().AssumeRole(ctx, input)
}

// refused is the error of a service, which must have this status and this code.
func refused(t *testing.T, err error, status int, code string) smithy.APIError {
	t.Helper()
	var refusal smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &refusal) || !errors.As(err, &response) {
		t.Fatalf("it was not refused: %v", err)
	}
	if response.HTTPStatusCode() != status || refusal.ErrorCode() != code {
		t.Fatalf("%d %s, and not %d %s", response.HTTPStatusCode(), refusal.ErrorCode(), status, code)
	}
	if response.ServiceRequestID() == "" && !strings.Contains(code, "Signature") {
		t.Errorf("the answer has no id")
	}
	return refusal
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
