package aws

import (
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"payg-operator.io/tests/sdk/simulator"
)

func TestEveryProtocolTellsWhatIsWrongWithASignature(t *testing.T) {
	type call = func(*customer) error
	json := []string{"InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException"}
	for name, protocol := range map[string]struct {
		call   call
		status int
		codes  []string
	}{
		"plan":        {func(one *customer) error { _, err := one.plan(); return err }, http.StatusBadRequest, json},
		"information": {func(one *customer) error { _, err := one.information(); return err }, http.StatusForbidden, json},
		"identity": {func(one *customer) error { _, err := one.identity(); return err }, http.StatusForbidden,
			[]string{"SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken"}},
	} {
		t.Run(name+", right", func(t *testing.T) {
			if err := protocol.call(newCustomer(t, 10, nil)); err != nil {
				t.Error(err)
			}
		})
		t.Run(name+", another secret", func(t *testing.T) {
			one := newCustomer(t, 10, nil)
			one.credentials = credentials.NewStaticCredentialsProvider(one.keyID, "another", "")
			refused(t, protocol.call(one), protocol.status, protocol.codes[0])
		})
		t.Run(name+", another region", func(t *testing.T) {
			one := newCustomer(t, 10, nil)
			one.region = "eu-west-1"
			refused(t, protocol.call(one), protocol.status, protocol.codes[0])
		})
		t.Run(name+", an unknown key", func(t *testing.T) {
			one := newCustomer(t, 10, nil)
			one.credentials = credentials.NewStaticCredentialsProvider("AKIANOBODYNOBODYNOBO", "not-a-secret", "")
			refused(t, protocol.call(one), protocol.status, protocol.codes[1])
		})
		t.Run(name+", a session without its token", func(t *testing.T) {
			one := newCustomer(t, 10, nil)
			assumed, err := one.assume(one.role(object{"trust": object{"principals": []string{"*"}}}), nil)
			session := must(t, assumed, err).Credentials
			one.credentials = credentials.NewStaticCredentialsProvider(*session.AccessKeyId, *session.SecretAccessKey, "")
			refused(t, protocol.call(one), protocol.status, protocol.codes[1])
		})
		t.Run(name+", a session that has expired", func(t *testing.T) {
			one := newCustomer(t, 10, nil)
			role := one.role(object{"sessionSeconds": 0, "trust": object{"principals": []string{"*"}}})
			assumed, err := one.assume(role, nil)
			refused(t, protocol.call(one.as(must(t, assumed, err).Credentials)), protocol.status, protocol.codes[2])
		})
	}
}

func TestARoleIsAssumedWithItsExternalId(t *testing.T) {
	one := newCustomer(t, 10, nil)
	role := one.role(object{"trust": object{"principals": []string{one.user}, "externalId": "tenant/42"}})
	_, err := one.assume(role, nil)
	message := refused(t, err, http.StatusForbidden, "AccessDenied").ErrorMessage()
	equal(t, message, "User: "+one.user+" is not authorized to perform: sts:AssumeRole on resource: "+role)
	assumed, err := one.assume(role, func(input *sts.AssumeRoleInput) {
		input.ExternalId, input.DurationSeconds = awssdk.String("tenant/42"), awssdk.Int32(900)
	})
	must(t, assumed, err)
	if left := time.Until(*assumed.Credentials.Expiration); left < 890*time.Second || left > 900*time.Second {
		t.Errorf("it lasts for %v", left)
	}
	session := one.as(assumed.Credentials)
	arn := "arn:aws:sts::" + one.id + ":assumed-role/payg-operator/check"
	who, err := session.identity()
	equal(t, *must(t, who, err).Arn, arn)
	upgraded, err := session.upgrade("PAID")
	must(t, upgraded, err)
	equal(t, sim.Upgrades(t, one.id), []any{object{"caller": arn}})
}

func TestASessionCannotBeLongerThanTheRoleAllows(t *testing.T) {
	one := newCustomer(t, 10, nil)
	role := one.role(object{"trust": object{"principals": []string{"*"}}})
	_, err := one.assume(role, func(input *sts.AssumeRoleInput) { input.DurationSeconds = awssdk.Int32(7200) })
	refused(t, err, http.StatusBadRequest, "ValidationError")
}

func TestTheProviderOfTheSDKAssumesARole(t *testing.T) {
	one := newCustomer(t, 10, nil)
	role := one.role(object{"trust": object{"principals": []string{one.user}, "externalId": "x-1"}})
	provider := stscreds.NewAssumeRoleProvider(one.sts(), role, func(options *stscreds.AssumeRoleOptions) {
		options.ExternalID, options.RoleSessionName = awssdk.String("x-1"), "provider"
	})
	session := *one
	session.credentials = awssdk.NewCredentialsCache(provider)
	who, err := session.identity()
	equal(t, *must(t, who, err).Arn, "arn:aws:sts::"+one.id+":assumed-role/payg-operator/provider")
}

// identityToken is a token that is kept in memory.
type identityToken string

func (i identityToken) GetIdentityToken() ([]byte, error) { return []byte(i), nil }

func TestTheTokenOfAServiceAccountGetsASession(t *testing.T) {
	const issuer, subject = "https://oidc.example/cluster", "system:serviceaccount:team-a:payg"
	key, another := simulator.Key(t), simulator.Key(t)
	one := newCustomer(t, 10, nil)
	federated := object{"issuer": issuer, "subject": subject, "audience": "sts.amazonaws.com",
		"jwks": object{"keys": []object{simulator.JWK(key)}}}
	role := one.role(object{"trust": object{"federated": []object{federated}}})
	for name, attempt := range map[string]struct {
		key    *rsa.PrivateKey
		change object
		code   string
	}{
		"as registered":             {key, nil, ""},
		"of another issuer":         {key, object{"iss": "https://oidc.example/another"}, "InvalidIdentityToken"},
		"of another ServiceAccount": {key, object{"sub": "system:serviceaccount:team-b:payg"}, "AccessDenied"},
		"for another audience":      {key, object{"aud": "another"}, "InvalidIdentityToken"},
		"expired":                   {key, object{"exp": 1}, "ExpiredTokenException"},
		"with another signature":    {another, nil, "InvalidIdentityToken"},
	} {
		t.Run(name, func(t *testing.T) {
			claims := object{"iss": issuer, "sub": subject, "aud": []string{"sts.amazonaws.com"}}
			for name, value := range attempt.change {
				claims[name] = value
			}
			token := identityToken(simulator.Token(t, attempt.key, claims))
			session := *one
			session.t = t
			session.credentials = stscreds.NewWebIdentityRoleProvider(one.sts(), role, token)
			who, err := session.identity()
			if attempt.code == "" {
				equal(t, *must(t, who, err).Account, one.id)
			} else if err == nil || !strings.Contains(err.Error(), attempt.code) {
				t.Errorf("it is no %s: %v", attempt.code, err)
			}
		})
	}
}
