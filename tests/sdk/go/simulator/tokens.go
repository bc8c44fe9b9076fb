package simulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

// Key makes a private key.
func Key(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// JWK is the public key as an issuer publishes it.
func JWK(key *rsa.PrivateKey) Object {
	encode := base64.RawURLEncoding.EncodeToString
	return Object{"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256",
		"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}
}

// Token is a JSON Web Token with these claims that is good for ten minutes unless they say otherwise.
func Token(t *testing.T, key *rsa.PrivateKey, claims Object) string {
	t.Helper()
	now := time.Now().Unix()
	whole := Object{"iat": now, "nbf": now, "exp": now + 600}
	for name, value := range claims {
		whole[name] = value
	}
	encode := func(part Object) string {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := encode(Object{"alg": "RS256", "typ": "JWT", "kid": "one"}) + "." + encode(whole)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Claims are those of a token.
func Claims(t *testing.T, token string) Object {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims Object
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
