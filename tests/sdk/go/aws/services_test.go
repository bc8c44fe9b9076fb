package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/billing"
	smithyauth "github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The module service/freetier is not on every proxy for Go that CI may have, and the newest service/billing there has no GetCredits
// yet. Such a client is generated: names and documents around the SDK's protocol. Here another operation of Billing, which speaks
// the same protocol (JSON 1.0), carries their names and documents, and all the rest (signature, retries, errors, transport) is the
// SDK's.

// plan is what Free Tier tells of an account's plan.
type plan struct {
	AccountID, AccountPlanType, AccountPlanStatus string
	AccountPlanRemainingCredits                   *struct {
		Amount float64
		Unit   string
	}
	AccountPlanExpirationDate *string
}

// credit is what Billing tells of one.
type credit struct {
	AccountID, CreditID, CreditStatus, CreditType, Description, ApplicationType string

	AccountHasCreditSharingEnabled                  bool
	CreditSharingType                               string
	ShareableAccounts                               []string
	InitialAmount, RemainingAmount, EstimatedAmount struct{ CurrencyCode, CurrencyAmount string }
	StartDate, EndDate                              float64
	ExhaustDate                                     *float64
}

func (c *customer) plan() (plan, error) {
	var told plan
	return told, c.send(operation{"freetier", "AWSFreeTierService", "GetAccountPlanState"}, object{}, &told)
}

func (c *customer) upgrade(to string) (plan, error) {
	var told plan
	return told, c.send(operation{"freetier", "AWSFreeTierService", "UpgradeAccountPlan"}, object{"accountPlanType": to}, &told)
}

func (c *customer) credits(changes object) ([]credit, error) {
	input := object{"accountId": c.id, "startDate": c.now().Unix()}
	for name, value := range changes {
		input[name] = value
	}
	var told struct{ Credits []credit }
	err := c.send(operation{"billing", "AWSBilling", "GetCredits"}, input, &told)
	return told.Credits, err
}

// operation is what a request is signed for, and what its target is.
type operation struct{ service, target, name string }

func (c *customer) send(operation operation, input object, told any) error {
	document, err := json.Marshal(input)
	if err != nil {
		return err
	}
	var answer bytes.Buffer
	client := billing.NewFromConfig(c.config(), func(options *billing.Options) {
		options.AuthSchemeResolver = signedFor{operation.service, c.region}
		options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
			if err := stack.Serialize.Add(sends{operation, document}, middleware.After); err != nil {
				return err
			}
			return stack.Deserialize.Add(keeps{&answer}, middleware.After)
		})
	})
	if _, err := client.ListBillingViews(ctx, &billing.ListBillingViewsInput{}); err != nil {
		return err
	}
	decoder := json.NewDecoder(&answer)
	decoder.DisallowUnknownFields()
	return decoder.Decode(told)
}

// signedFor has requests signed for this service.
type signedFor struct{ service, region string }

func (s signedFor) ResolveAuthSchemes(context.Context, *billing.AuthResolverParameters) ([]*smithyauth.Option, error) {
	option := &smithyauth.Option{SchemeID: smithyauth.SchemeIDSigV4}
	smithyhttp.SetSigV4SigningName(&option.SignerProperties, s.service)
	smithyhttp.SetSigV4SigningRegion(&option.SignerProperties, s.region)
	return []*smithyauth.Option{option}, nil
}

// sends has an operation sent in the place of the one that carries it.
type sends struct {
	operation operation
	document  []byte
}

func (sends) ID() string { return "CarriedRequest" }

func (s sends) HandleSerialize(
	ctx context.Context, input middleware.SerializeInput, next middleware.SerializeHandler,
) (middleware.SerializeOutput, middleware.Metadata, error) {
	request, ok := input.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("a request of type %T", input.Request)
	}
	request.Header.Set("X-Amz-Target", s.operation.target+"."+s.operation.name)
	request, err := request.SetStream(bytes.NewReader(s.document))
	if err != nil {
		return middleware.SerializeOutput{}, middleware.Metadata{}, err
	}
	input.Request = request
	return next.HandleSerialize(ctx, input)
}

// keeps the document of the last answer.
type keeps struct{ document *bytes.Buffer }

func (keeps) ID() string { return "CarriedAnswer" }

func (k keeps) HandleDeserialize(
	ctx context.Context, input middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	output, metadata, err := next.HandleDeserialize(ctx, input)
	if response, ok := output.RawResponse.(*smithyhttp.Response); ok && err == nil {
		k.document.Reset()
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(response.Body, k.document), response.Body}
	}
	return output, metadata, err
}
