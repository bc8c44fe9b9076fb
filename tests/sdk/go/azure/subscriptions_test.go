package azure

import (
	"context"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/subscription/armsubscription"
	"github.com/google/uuid"
)

func TestASubscriptionReadsBackFieldByField(t *testing.T) {
	one := newTenant(t, nil)
	subscription := one.subscription()
	equal(t, *subscription.ID, "/subscriptions/"+one.account)
	equal(t, *subscription.TenantID, one.id)
	equal(t, *subscription.DisplayName, "Azure subscription 1")
	equal(t, *subscription.AuthorizationSource, "RoleBased")
	equal(t, *subscription.SubscriptionPolicies.LocationPlacementID, "Public_2014-09-01")
}

func TestEachPhaseOfAnAccountShows(t *testing.T) {
	type limit = armsubscriptions.SpendingLimit
	type state = armsubscriptions.SubscriptionState
	for name, phase := range map[string]struct {
		settings object
		actions  []string
		state    state
		quota    string
		limit    limit
	}{
		"a trial":                            {nil, nil, "Enabled", trial, "On"},
		"a trial on its last day":            {object{"startTime": "2026-05-02T12:00:00Z", "warned": true}, nil, "Warned", trial, "On"},
		"an upgraded trial with benefits":    {nil, []string{"portal-upgrade"}, "Enabled", trial, "Off"},
		"an upgraded trial without benefits": {nil, []string{"portal-upgrade", "spend"}, "Enabled", payg, "Off"},
		"a trial without credit":             {nil, []string{"spend"}, "Disabled", trial, "On"},
		"a trial after thirty days":          {object{"startTime": "2026-05-01T00:00:00Z"}, nil, "Disabled", trial, "On"},
		"a disabled trial that is upgraded":  {object{"startTime": "2026-05-01T00:00:00Z"}, []string{"portal-upgrade"}, "Enabled", payg, "Off"},
		"a trial after its grace":            {object{"startTime": "2026-05-01T12:00:00Z", "graceDays": 0}, nil, "Deleted", trial, "On"},
		"pay-as-you-go":                      {object{"offer": "PayAsYouGo"}, nil, "Enabled", payg, "Off"},
		"an invoice that is not paid":        {object{"offer": "PayAsYouGo"}, []string{"leave-unpaid"}, "PastDue", payg, "Off"},
		"Imagine":                            {object{"offer": "Imagine"}, nil, "Enabled", "DreamSpark_2015-02-01", "On"},
	} {
		t.Run(name, func(t *testing.T) {
			one := newTenant(t, phase.settings)
			for _, action := range phase.actions {
				one.do(action)
			}
			subscription := one.subscription()
			equal(t, *subscription.State, phase.state)
			equal(t, *subscription.SubscriptionPolicies.QuotaID, phase.quota)
			equal(t, *subscription.SubscriptionPolicies.SpendingLimit, phase.limit)
		})
	}
}

func TestSubscriptionsAreRefused(t *testing.T) {
	for name, refusal := range map[string]struct {
		settings object
		id       string
		status   int
		code     string
	}{
		"that are unknown":     {nil, "6f1a3c1e-0000-4a00-9000-00000000dead", http.StatusNotFound, "SubscriptionNotFound"},
		"that are malformed":   {nil, "not-a-guid", http.StatusBadRequest, "InvalidSubscriptionId"},
		"that are gone":        {object{"startTime": "2026-01-01T00:00:00Z", "graceDays": 30}, "", http.StatusNotFound, "SubscriptionNotFound"},
		"that nobody may read": {nil, "", http.StatusForbidden, "AuthorizationFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			one := newTenant(t, refusal.settings)
			if refusal.code == "AuthorizationFailed" {
				one.application(object{"subscriptions": []string{}})
			}
			id := refusal.id
			if id == "" {
				id = one.account
			}
			_, err := one.subscriptions(one.credential()).Get(context.Background(), id, nil)
			refused(t, err, refusal.status, refusal.code)
		})
	}
}

// listed are the ids of all pages, and how many pages there were.
func listed(t *testing.T, one *tenant) (map[string]bool, int) {
	t.Helper()
	ids, pages := map[string]bool{}, 0
	for pager := one.subscriptions(one.credential()).NewListPager(nil); pager.More(); pages++ {
		page, err := pager.NextPage(context.Background())
		must(t, page, err)
		for _, subscription := range page.Value {
			ids[*subscription.SubscriptionID] = true
		}
	}
	return ids, pages
}

func TestSubscriptionsAreListed(t *testing.T) {
	one := newTenant(t, nil)
	ids := map[string]bool{one.account: true}
	for range 4 {
		ids[one.add(uuid.NewString(), nil)] = true
	}
	newTenant(t, nil)
	found, pages := listed(t, one)
	equal(t, found, ids)
	equal(t, pages, 1)

	sim.Control(t, http.MethodPost, "settings", object{"pageSize": 2})
	t.Cleanup(func() { sim.Control(t, http.MethodPost, "settings", object{"pageSize": 100}) })
	found, pages = listed(t, one)
	equal(t, found, ids)
	equal(t, pages, 3)

	one.application(object{"subscriptions": []string{}})
	found, _ = listed(t, one)
	equal(t, len(found), 0)
}

func TestTheTenantIsListed(t *testing.T) {
	one := newTenant(t, nil)
	client, err := armsubscriptions.NewTenantsClient(one.credential(), &arm.ClientOptions{ClientOptions: one.options()})
	page, err := must(t, client, err).NewListPager(nil).NextPage(context.Background())
	must(t, page, err)
	equal(t, len(page.Value), 1)
	equal(t, *page.Value[0].TenantID, one.id)
	equal(t, *page.Value[0].DefaultDomain, "contoso.example")
}

func TestTheVersionOf2016IsServed(t *testing.T) {
	one := newTenant(t, nil)
	client, err := armsubscription.NewSubscriptionsClient(one.credential(), &arm.ClientOptions{ClientOptions: one.options()})
	answer, err := must(t, client, err).Get(context.Background(), one.account, nil)
	must(t, answer, err)
	one.readsBack(answer.Subscription)
	equal(t, *answer.SubscriptionPolicies.QuotaID, trial)
	page, err := client.NewListPager(nil).NextPage(context.Background())
	equal(t, len(must(t, page, err).Value), 1)
	tenants, err := armsubscription.NewTenantsClient(one.credential(), &arm.ClientOptions{ClientOptions: one.options()})
	list, err := must(t, tenants, err).NewListPager(nil).NextPage(context.Background())
	equal(t, *must(t, list, err).Value[0].TenantID, one.id)
}

// actions is a client of what the owner of a subscription does with it.
func actions(t *testing.T, one *tenant) *armsubscription.Client {
	client, err := armsubscription.NewClient(one.credential(), &arm.ClientOptions{ClientOptions: one.options()})
	return must(t, client, err)
}

func TestAnOwnerCancelsRenamesAndEnables(t *testing.T) {
	one := newTenant(t, object{"offer": "PayAsYouGo"})
	one.application(object{"role": "Contributor"})
	client, ctx := actions(t, one), context.Background()
	name := "Sandbox"
	renamed, err := client.Rename(ctx, one.account, armsubscription.Name{SubscriptionName: &name}, nil)
	equal(t, *must(t, renamed, err).SubscriptionID, one.account)
	equal(t, *one.subscription().DisplayName, name)
	cancelled, err := client.Cancel(ctx, one.account, nil)
	equal(t, *must(t, cancelled, err).SubscriptionID, one.account)
	equal(t, *one.subscription().State, armsubscriptions.SubscriptionStateDisabled)
	enabled, err := client.Enable(ctx, one.account, nil)
	equal(t, *must(t, enabled, err).SubscriptionID, one.account)
	equal(t, *one.subscription().State, armsubscriptions.SubscriptionStateEnabled)
}

func TestActionsAreRefused(t *testing.T) {
	ctx := context.Background()
	one := newTenant(t, nil)
	_, err := actions(t, one).Cancel(ctx, one.account, nil)
	refused(t, err, http.StatusForbidden, "AuthorizationFailed")
	one = newTenant(t, object{"hasResources": true})
	one.application(object{"role": "Contributor"})
	_, err = actions(t, one).Cancel(ctx, one.account, nil)
	refused(t, err, http.StatusBadRequest, "ResourcesExistingOnSubscription")
	one.do("spend")
	_, err = actions(t, one).Enable(ctx, one.account, nil)
	refused(t, err, http.StatusBadRequest, "ReactivationNotAllowed")
}

func TestWhatGoesWrongIsAskedAgain(t *testing.T) {
	for name, fault := range map[string]struct {
		kind   any
		status int
	}{
		"throttled":              {object{"throttle": object{"retryAfterSeconds": 1}}, http.StatusTooManyRequests},
		"throttled until a date": {object{"throttle": object{"retryAfterSeconds": 1, "retryAfterDate": true}}, http.StatusTooManyRequests},
		"no service":             {object{"status": object{"code": 503}}, http.StatusServiceUnavailable},
		"cut":                    {"cut", 0},
	} {
		t.Run(name, func(t *testing.T) {
			one := newTenant(t, nil)
			sim.Fault(t, "subscription", one.account, fault.kind, 1)
			equal(t, *one.subscription().SubscriptionID, one.account)
			equal(t, sim.Statuses(t, one.account, "subscription"), []int{fault.status, http.StatusOK})
		})
	}
}

func TestAServiceThatIsDownForLongIsTold(t *testing.T) {
	one := newTenant(t, nil)
	sim.Fault(t, "subscription", one.account, object{"status": object{"code": 503}}, 0)
	_, err := one.subscriptions(one.credential()).Get(context.Background(), one.account, nil)
	refused(t, err, http.StatusServiceUnavailable, "ServiceUnavailable")
}

func TestHalfAnAnswerIsNoAnswer(t *testing.T) {
	one := newTenant(t, nil)
	sim.Fault(t, "subscription", one.account, "malformedJson", 0)
	if _, err := one.subscriptions(one.credential()).Get(context.Background(), one.account, nil); err == nil {
		t.Error("it was taken for an answer")
	}
}
