package azure

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// The modules armbilling and armconsumption are not on every proxy for Go that CI may have. A client of Azure's SDK is generated:
// paths, api-versions and models around the SDK's own pipeline, which is all that is left here. It has what those modules ask for:
// 2020-05-01 of Microsoft.Billing and 2021-10-01 of Microsoft.Consumption.

// get reads what is at the path below Resource Manager. It is nil if there is no content.
func (o *tenant) get(path, query string) (object, error) {
	o.t.Helper()
	client, err := arm.NewClient("payg-operator.io/tests/sdk", "v0.0.0", o.credential(), &arm.ClientOptions{ClientOptions: o.options()})
	must(o.t, client, err)
	request, err := runtime.NewRequest(context.Background(), http.MethodGet, runtime.JoinPaths(client.Endpoint(), path))
	must(o.t, request, err)
	request.Raw().URL.RawQuery = query
	request.Raw().Header["Accept"] = []string{"application/json"}
	response, err := client.Pipeline().Do(request)
	if err != nil {
		return nil, err
	}
	if !runtime.HasStatusCode(response, http.StatusOK, http.StatusNoContent) {
		return nil, runtime.NewResponseError(response)
	}
	var body object
	if response.StatusCode == http.StatusOK {
		err = runtime.UnmarshalAsJSON(response, &body)
	}
	return body, err
}

// properties are those of what is at the path.
func (o *tenant) properties(path, query string) object {
	o.t.Helper()
	body, err := o.get(path, query)
	properties, _ := must(o.t, body, err)["properties"].(object)
	return properties
}

// list are the items of what is at the path.
func (o *tenant) list(path, query string) []any {
	o.t.Helper()
	body, err := o.get(path, query)
	items, _ := must(o.t, body, err)["value"].([]any)
	return items
}

const (
	ofBilling     = "api-version=2020-05-01"
	ofConsumption = "api-version=2021-10-01"
	accounts      = "/providers/Microsoft.Billing/billingAccounts"
)

func (o *tenant) billingProperty() object {
	o.t.Helper()
	return o.properties("/subscriptions/"+o.account+"/providers/Microsoft.Billing/billingProperty/default", ofBilling)
}

// agreement is a customer agreement whose billing account the application may read, and the path of its billing profile.
func agreement(t *testing.T, settings object) (*tenant, string) {
	t.Helper()
	one := newTenant(t, with(object{"agreement": "MCA"}, settings))
	one.application(object{"billing": "Reader"})
	return one, one.billingProperty()["billingProfileId"].(string)
}

func TestAClassicAccountSaysNothingOfItsCredit(t *testing.T) {
	property := newTenant(t, nil).billingProperty()
	equal(t, property["accountAdminNotificationEmailAddress"], any("jan@contoso.example"))
	equal(t, property["isAccountAdmin"], any(false))
	equal(t, property["billingProfileId"], nil)
}

func TestACustomerAgreementTellsItsLimit(t *testing.T) {
	one, profile := agreement(t, nil)
	for _, phase := range []struct{ action, status, limit string }{
		{"", "Active", "On"}, {"spend", "Disabled", "On"}, {"portal-upgrade", "Active", "Off"},
	} {
		if phase.action != "" {
			one.do(phase.action)
		}
		property, of := one.billingProperty(), one.properties(profile, ofBilling)
		equal(t, property["billingProfileStatus"], any(phase.status))
		equal(t, property["billingProfileSpendingLimit"], any(phase.limit))
		equal(t, of["status"], any(phase.status))
		equal(t, of["spendingLimit"], any(phase.limit))
	}
}

func TestBillingAccountsProfilesAndSubscriptionsAreListed(t *testing.T) {
	one, profile := agreement(t, nil)
	account, _, _ := strings.Cut(profile, "/billingProfiles")
	for _, path := range []struct{ list, item string }{
		{accounts, account},
		{account + "/billingProfiles", profile},
		{account + "/billingSubscriptions", account + "/billingSubscriptions/" + one.account},
		{profile + "/billingSubscriptions", account + "/billingSubscriptions/" + one.account},
	} {
		item, err := one.get(path.item, ofBilling)
		equal(t, one.list(path.list, ofBilling), []any{must(t, item, err)})
	}
	one.do("spend")
	subscription := one.properties(account+"/billingSubscriptions/"+one.account, ofBilling)
	equal(t, subscription["subscriptionBillingStatus"], any("Inactive"))
}

func TestBillingIsRefused(t *testing.T) {
	one, profile := agreement(t, nil)
	_, err := one.get(accounts+"/none", ofBilling)
	refused(t, err, http.StatusNotFound, "NotFound")
	_, err = one.get(accounts, "api-version=2019-10-01-preview")
	refused(t, err, http.StatusBadRequest, "InvalidApiVersionParameter")
	one.application(nil)
	equal(t, len(one.list(accounts, ofBilling)), 0)
	_, err = one.get(profile, ofBilling)
	refused(t, err, http.StatusForbidden, "AuthorizationFailed")
	classic := newTenant(t, nil)
	_, err = classic.get(classic.billingProperty()["billingAccountId"].(string), ofBilling)
	refused(t, err, http.StatusUnauthorized, "Unauthorized")
}

func TestTheBalanceIsTheCreditThatIsLeft(t *testing.T) {
	one, profile := agreement(t, object{"burnPerDay": "1"})
	balance := one.properties(profile+"/providers/Microsoft.Consumption/credits/balanceSummary", ofConsumption)
	left := balance["balanceSummary"].(object)["estimatedBalance"].(object)
	if value := left["value"].(float64); left["currency"] != "USD" || value > 190 || value < 189.9 {
		t.Errorf("%v is left", left)
	}
	equal(t, balance["isEstimatedBalance"], nil)
}

func TestTheCreditIsALot(t *testing.T) {
	one, profile := agreement(t, nil)
	account, _, _ := strings.Cut(profile, "/billingProfiles")
	for _, scope := range []string{profile, account} {
		lots := one.list(scope+"/providers/Microsoft.Consumption/lots", ofConsumption)
		equal(t, len(lots), 1)
		lot := lots[0].(object)["properties"].(object)
		equal(t, lot["status"], any("Active"))
		equal(t, lot["expirationDate"], any("2026-06-21T00:00:00Z"))
	}
	one.do("spend")
	lot := one.list(profile+"/providers/Microsoft.Consumption/lots", ofConsumption)[0].(object)["properties"].(object)
	equal(t, lot["status"], any("Complete"))
}

func TestWhatHappenedToTheCreditIsTold(t *testing.T) {
	one, profile := agreement(t, object{"startTime": "2026-04-01T00:00:00Z", "burnPerDay": "4"})
	path := profile + "/providers/Microsoft.Consumption/events"
	var kinds []any
	for _, event := range one.list(path, ofConsumption+"&startDate=2026-01-01&endDate=2026-12-31") {
		kinds = append(kinds, event.(object)["properties"].(object)["eventType"])
	}
	equal(t, kinds, []any{"NewCredit", "SettledCharges", "CreditExpired"})
	_, err := one.get(path, ofConsumption)
	refused(t, err, http.StatusBadRequest, "BadRequest")
}

func TestACreditThatIsNotListedHasNoContent(t *testing.T) {
	one, profile := agreement(t, object{"lotsListed": false})
	body, err := one.get(profile+"/providers/Microsoft.Consumption/credits/balanceSummary", ofConsumption)
	equal(t, must(t, body, err), nil)
}
