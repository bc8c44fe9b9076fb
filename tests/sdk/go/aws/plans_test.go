package aws

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	billingtypes "github.com/aws/aws-sdk-go-v2/service/billing/types"
)

func TestAnAccountOnTheFreePlanIsDescribed(t *testing.T) {
	one := newCustomer(t, 10, nil)
	told, err := one.plan()
	must(t, told, err)
	equal(t, []string{told.AccountID, told.AccountPlanType, told.AccountPlanStatus}, []string{one.id, "FREE", "ACTIVE"})
	equal(t, told.AccountPlanRemainingCredits.Amount, 100)
	equal(t, told.AccountPlanRemainingCredits.Unit, "USD")
	end, err := time.Parse(time.RFC3339, *told.AccountPlanExpirationDate)
	if left := time.Until(must(t, end, err)).Hours() / 24; left < 150 || left > 180 {
		t.Errorf("it expires in %v days", left)
	}
}

func TestEachPhaseOfAPlanShows(t *testing.T) {
	for name, phase := range map[string]struct {
		days     int
		settings object
		expected []string
	}{
		"its credit is spent":   {10, object{"burnPerDay": "20"}, []string{"FREE", "EXPIRED"}},
		"its months are over":   {200, nil, []string{"FREE", "EXPIRED"}},
		"it is still to start":  {-3, nil, []string{"FREE", "NOT_STARTED"}},
		"it is paid":            {10, object{"plan": "Paid"}, []string{"PAID", "ACTIVE"}},
		"it never had a credit": {10, object{"credit": nil}, []string{"FREE", "ACTIVE"}},
		"it is in use":          {10, object{"burnPerDay": "2.5"}, []string{"FREE", "ACTIVE"}},
	} {
		t.Run(name, func(t *testing.T) {
			told, err := newCustomer(t, phase.days, phase.settings).plan()
			must(t, told, err)
			equal(t, []string{told.AccountPlanType, told.AccountPlanStatus}, phase.expected)
		})
	}
}

func TestAnAccountWithoutARecordHasNoPlan(t *testing.T) {
	one := newCustomer(t, 10, object{"plan": "None"})
	_, err := one.plan()
	equal(t, refused(t, err, http.StatusBadRequest, "ResourceNotFoundException").ErrorMessage(), "Missing data for account: "+one.id)
	_, err = one.upgrade("PAID")
	refused(t, err, http.StatusBadRequest, "ResourceNotFoundException")
}

func TestAnUpgradeIsAppliedOnceAndSaysTheStatusOfThePlan(t *testing.T) {
	for name, phase := range map[string]struct {
		days     int
		settings object
		status   string
	}{
		"in use":                            {10, nil, "ACTIVE"},
		"expired":                           {10, object{"burnPerDay": "20"}, "ACTIVE"},
		"expired, and it shows late":        {10, object{"burnPerDay": "20", "upgradeSeconds": 600}, "EXPIRED"},
		"still to start, and it shows late": {-3, object{"upgradeSeconds": 600}, "NOT_STARTED"},
	} {
		t.Run(name, func(t *testing.T) {
			one := newCustomer(t, phase.days, phase.settings)
			for range 2 {
				told, err := one.upgrade("PAID")
				must(t, told, err)
				equal(t, told, plan{AccountID: one.id, AccountPlanType: "PAID", AccountPlanStatus: phase.status})
			}
			equal(t, sim.Upgrades(t, one.id), []any{object{"caller": one.user}})
			told, err := one.plan()
			equal(t, must(t, told, err).AccountPlanStatus, phase.status)
		})
	}
}

func TestUpgradesAreRefused(t *testing.T) {
	for name, refusal := range map[string]struct {
		settings object
		to       string
		prepare  func(*customer)
		code     string
	}{
		"that are rejected":      {object{"rejectUpgrade": object{"code": "ValidationException", "message": "No payment method."}}, "PAID", nil, "ValidationException"},
		"to the free plan":       {nil, "FREE", nil, "ValidationException"},
		"to no plan":             {nil, "GOLD", nil, "ValidationException"},
		"of a closed account":    {nil, "PAID", func(one *customer) { one.do("cancel") }, "ValidationException"},
		"without the permission": {nil, "PAID", func(one *customer) { one.allow("freetier:GetAccountPlanState") }, "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) {
			one := newCustomer(t, 10, refusal.settings)
			if refusal.prepare != nil {
				refusal.prepare(one)
			}
			_, err := one.upgrade(refusal.to)
			refused(t, err, http.StatusBadRequest, refusal.code)
			equal(t, len(sim.Upgrades(t, one.id)), 0)
		})
	}
}

func TestTheCreditIsDescribed(t *testing.T) {
	one := newCustomer(t, 10, object{"burnPerDay": "1"})
	credits, err := one.credits(nil)
	equal(t, len(must(t, credits, err)), 1)
	equal(t, []string{credits[0].AccountID, credits[0].CreditStatus, credits[0].CreditType}, []string{one.id, "ENABLED", "Promotion"})
	equal(t, credits[0].InitialAmount.CurrencyAmount, "100.00")
	equal(t, credits[0].EstimatedAmount.CurrencyAmount, "90.00")
	equal(t, credits[0].ExhaustDate, nil)
	credits, err = newCustomer(t, 10, object{"burnPerDay": "20"}).credits(nil)
	spent := must(t, credits, err)[0]
	equal(t, *spent.ExhaustDate-spent.StartDate, (5 * 24 * time.Hour).Seconds())
	credits, err = newCustomer(t, 10, object{"creditsListed": false}).credits(nil)
	equal(t, len(must(t, credits, err)), 0)
}

func TestCreditsAreRefused(t *testing.T) {
	one, other := newCustomer(t, 10, nil), newCustomer(t, 10, nil)
	_, err := one.credits(object{"startDate": one.now().AddDate(0, 0, -370).Unix()})
	refused(t, err, http.StatusBadRequest, "ValidationException")
	var invalid *billingtypes.ValidationException
	if !errors.As(err, &invalid) || invalid.Reason != "fieldValidationFailed" || len(invalid.FieldList) != 1 || *invalid.FieldList[0].Name != "startDate" {
		t.Errorf("it does not name the field: %v", err)
	}
	_, err = one.credits(object{"accountId": other.id})
	refused(t, err, http.StatusBadRequest, "AccessDeniedException")
	one.allow("freetier:GetAccountPlanState")
	_, err = one.credits(nil)
	message := refused(t, err, http.StatusBadRequest, "AccessDeniedException").ErrorMessage()
	if !strings.HasPrefix(message, "User: "+one.user+" is not authorized to perform: billing:GetCredits") {
		t.Error(message)
	}
}

func TestAnAccountTellsWhetherItIsOpen(t *testing.T) {
	one := newCustomer(t, 10, nil)
	told, err := one.information()
	must(t, told, err)
	equal(t, *told.AccountId, one.id)
	equal(t, told.AccountState, accounttypes.AccountStateActive)
	if told.AccountCreatedDate == nil {
		t.Error("it was never made")
	}
	one.do("cancel")
	told, err = one.information()
	equal(t, must(t, told, err).AccountState, accounttypes.AccountStateClosed)
}

func TestWhatGoesWrongIsAskedAgain(t *testing.T) {
	for name, fault := range map[string]struct {
		kind   any
		status int
	}{
		"throttled":  {object{"throttle": object{"retryAfterSeconds": 1}}, http.StatusBadRequest},
		"failed":     {object{"status": object{"code": 500}}, http.StatusInternalServerError},
		"bad way":    {object{"status": object{"code": 502}}, http.StatusBadGateway},
		"no answer":  {object{"status": object{"code": 504}}, http.StatusGatewayTimeout},
		"no service": {object{"status": object{"code": 503}}, http.StatusServiceUnavailable},
		"cut":        {"cut", 0},
	} {
		t.Run(name, func(t *testing.T) {
			one := newCustomer(t, 10, nil)
			one.attempts = 3
			sim.Fault(t, "getAccountPlanState", one.id, fault.kind, 1)
			told, err := one.plan()
			equal(t, must(t, told, err).AccountID, one.id)
			equal(t, sim.Statuses(t, one.id, "getAccountPlanState"), []int{fault.status, http.StatusOK})
		})
	}
}

func TestAnUpgradeWhoseAnswerIsLostIsAppliedOnce(t *testing.T) {
	for _, attempts := range []int{1, 3} {
		one := newCustomer(t, 10, nil)
		one.attempts = attempts
		sim.Fault(t, "upgradeAccountPlan", one.id, "appliedAnswerLost", 1)
		if _, err := one.upgrade("PAID"); (err == nil) != (attempts > 1) {
			t.Errorf("%d attempts: %v", attempts, err)
		}
		equal(t, len(sim.Upgrades(t, one.id)), 1)
	}
}
