package azure

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"payg-operator.io/tests/sdk/simulator"
)

func TestASecretGetsATokenForAnHour(t *testing.T) {
	one := newTenant(t, nil)
	got, err := token(one.credential(), armScope)
	must(t, got, err)
	if left := time.Until(got.ExpiresOn); left < 3500*time.Second || left > time.Hour {
		t.Errorf("it is good for %v", left)
	}
	claims := simulator.Claims(t, got.Token)
	equal(t, claims["aud"], any("https://management.azure.com"))
	equal(t, claims["appid"], any(one.client))
	equal(t, claims["iss"], any("https://sts.windows.net/"+one.id+"/"))
	if claims["sub"] == nil || claims["sub"] != claims["oid"] {
		t.Errorf("it is about %v", claims["sub"])
	}
}

func TestATokenIsAskedForOnceAndKept(t *testing.T) {
	credential := newTenant(t, nil).credential()
	first, err := token(credential, armScope)
	must(t, first, err)
	second, err := token(credential, armScope)
	equal(t, must(t, second, err).Token, first.Token)
	other, err := token(credential, brokerScope)
	if must(t, other, err).Token == first.Token {
		t.Error("another audience got the same token")
	}
}

func TestCredentialsAreRefused(t *testing.T) {
	for name, one := range map[string]struct {
		change func(*tenant)
		scopes []string
		code   string
	}{
		"a wrong secret":         {func(one *tenant) { one.secret = "another" }, []string{armScope}, "AADSTS7000215"},
		"an unknown application": {func(one *tenant) { one.client = "00000000-0000-4a00-9000-00000000dead" }, []string{armScope}, "AADSTS700016"},
		"an unknown tenant":      {func(one *tenant) { one.id = "00000000-0000-4a00-9000-00000000dead" }, []string{armScope}, "AADSTS90002"},
		"an unknown resource":    {func(*tenant) {}, []string{"https://graph.example/.default"}, "AADSTS500011"},
		"two resources at once":  {func(*tenant) {}, []string{armScope, brokerScope}, "AADSTS70011"},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := newTenant(t, nil)
			one.change(tenant)
			_, err := token(tenant.credential(), one.scopes...)
			failed(t, err, one.code)
			if strings.Contains(err.Error(), "not-a-secret") || strings.Contains(err.Error(), "another") {
				t.Error("the error has the secret")
			}
		})
	}
}

func TestTokensAreRefused(t *testing.T) {
	good := func(one *tenant, scope string) string {
		got, err := token(one.credential(), scope)
		return must(t, got, err).Token
	}
	for name, one := range map[string]struct {
		token func(*tenant) string
		code  string
	}{
		"none":                 {func(*tenant) string { return "no.such.token" }, "InvalidAuthenticationToken"},
		"for another audience": {func(one *tenant) string { return good(one, brokerScope) }, "InvalidAuthenticationTokenAudience"},
		"of another tenant":    {func(*tenant) string { return good(newTenant(t, nil), armScope) }, "InvalidAuthenticationTokenTenant"},
		"expired": {func(one *tenant) string {
			one.application(object{"tokenLifetimeSeconds": 0})
			return good(one, armScope)
		}, "ExpiredAuthenticationToken"},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := newTenant(t, nil)
			_, err := tenant.subscriptions(given(one.token(tenant))).Get(context.Background(), tenant.account, nil)
			refusal := refused(t, err, http.StatusUnauthorized, one.code)
			challenge := refusal.RawResponse.Header.Get("WWW-Authenticate")
			if !strings.HasPrefix(challenge, `Bearer authorization_uri="`+sim.URL+"/"+tenant.id+`", error="invalid_token"`) {
				t.Errorf("the challenge is %s", challenge)
			}
		})
	}
}

func TestACertificateTakesThePlaceOfASecret(t *testing.T) {
	key, one := simulator.Key(t), newTenant(t, nil)
	certificate, text := certificate(t, key)
	one.application(object{"clientSecret": nil, "certificates": []string{text}})
	opens(t, one, byCertificate(t, one, certificate, key))
}

func TestACertificateThatIsNotRegisteredIsRefused(t *testing.T) {
	key, one := simulator.Key(t), newTenant(t, nil)
	_, text := certificate(t, key)
	one.application(object{"clientSecret": nil, "certificates": []string{text}})
	another, _ := certificate(t, key)
	_, err := token(byCertificate(t, one, another, key), armScope)
	failed(t, err, "AADSTS700027")
}

const (
	issuer  = "https://oidc.example/cluster"
	subject = "system:serviceaccount:team-a:payg"
)

// assertion is the token of a ServiceAccount.
func assertion(t *testing.T, key *rsa.PrivateKey, changes object) string {
	return simulator.Token(t, key, with(object{"iss": issuer, "sub": subject, "aud": []string{"api://AzureADTokenExchange"}}, changes))
}

// trusting is a tenant whose application trusts the tokens of a cluster.
func trusting(t *testing.T, key *rsa.PrivateKey) *tenant {
	one := newTenant(t, nil)
	federated := object{"issuer": issuer, "subject": subject, "audience": "api://AzureADTokenExchange",
		"jwks": object{"keys": []object{simulator.JWK(key)}}}
	one.application(object{"clientSecret": nil, "federated": []object{federated}})
	return one
}

func byAssertion(t *testing.T, one *tenant, text string) azcore.TokenCredential {
	options := &azidentity.ClientAssertionCredentialOptions{ClientOptions: one.options(), DisableInstanceDiscovery: true}
	said := func(context.Context) (string, error) { return text, nil }
	credential, err := azidentity.NewClientAssertionCredential(one.id, one.client, said, options)
	return must(t, credential, err)
}

func TestTheTokenOfAServiceAccountTakesThePlaceOfASecret(t *testing.T) {
	key := simulator.Key(t)
	one := trusting(t, key)
	opens(t, one, byAssertion(t, one, assertion(t, key, nil)))
}

func TestTokensThatAreNotAsRegisteredAreRefused(t *testing.T) {
	key, another := simulator.Key(t), simulator.Key(t)
	for name, one := range map[string]struct {
		key    *rsa.PrivateKey
		change object
		code   string
	}{
		"of another issuer":         {key, object{"iss": "https://oidc.example/another"}, "AADSTS700211"},
		"of another ServiceAccount": {key, object{"sub": "system:serviceaccount:team-b:payg"}, "AADSTS700213"},
		"for another audience":      {key, object{"aud": "api://another"}, "AADSTS700212"},
		"expired":                   {key, object{"exp": 1}, "AADSTS700024"},
		"with another signature":    {another, nil, "AADSTS50013"},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := trusting(t, key)
			_, err := token(byAssertion(t, tenant, assertion(t, one.key, one.change)), armScope)
			failed(t, err, one.code)
		})
	}
}

func TestWorkloadIdentityWorksByWhatTheWebhookInjects(t *testing.T) {
	key := simulator.Key(t)
	one, file := trusting(t, key), filepath.Join(t.TempDir(), "azure-identity-token")
	if err := os.WriteFile(file, []byte(assertion(t, key, nil)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_CLIENT_ID", one.client)
	t.Setenv("AZURE_TENANT_ID", one.id)
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	options := &azidentity.WorkloadIdentityCredentialOptions{ClientOptions: one.options(), DisableInstanceDiscovery: true}
	credential, err := azidentity.NewWorkloadIdentityCredential(options)
	opens(t, one, must(t, credential, err))
}

func TestASecretWorksFromTheEnvironment(t *testing.T) {
	one := newTenant(t, nil)
	t.Setenv("AZURE_CLIENT_ID", one.client)
	t.Setenv("AZURE_TENANT_ID", one.id)
	t.Setenv("AZURE_CLIENT_SECRET", one.secret)
	options := &azidentity.EnvironmentCredentialOptions{ClientOptions: one.options(), DisableInstanceDiscovery: true}
	credential, err := azidentity.NewEnvironmentCredential(options)
	opens(t, one, must(t, credential, err))
}

// opens fails unless a token of the credential opens the account.
func opens(t *testing.T, one *tenant, credential azcore.TokenCredential) {
	t.Helper()
	answer, err := one.subscriptions(credential).Get(context.Background(), one.account, nil)
	equal(t, *must(t, answer, err).SubscriptionID, one.account)
}

// failed fails unless the error has this code of Microsoft Entra.
func failed(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), code+":") {
		t.Fatalf("it is no %s: %v", code, err)
	}
}

func byCertificate(t *testing.T, one *tenant, certificate *x509.Certificate, key crypto.PrivateKey) azcore.TokenCredential {
	options := &azidentity.ClientCertificateCredentialOptions{ClientOptions: one.options(), DisableInstanceDiscovery: true}
	credential, err := azidentity.NewClientCertificateCredential(one.id, one.client, []*x509.Certificate{certificate}, key, options)
	return must(t, credential, err)
}

// certificate is one that the key has signed itself, and the same in PEM.
func certificate(t *testing.T, key *rsa.PrivateKey) (*x509.Certificate, string) {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, serial, err)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "payg"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, der, err)
	made, err := x509.ParseCertificate(der)
	return must(t, made, err), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
