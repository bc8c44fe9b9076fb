.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

# A target is listed by `make help` if its line says what it does after two number signs.

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: control-plane ## watch the operator upgrade simulated accounts on a real API server; KEEP=1 leaves it running
	@echo 'Building payg-dev (the first time takes a few minutes) …'
	@cargo run --locked --package payg-dev -- demo $(if $(KEEP),--keep)

# The programs of tests that start a control plane, or other programs that are built once; those that take longest first. Any
# other is thought to need none.
WITH_CONTROL_PLANE := e2e chaos process gitops install admission kubectl fake_api control_plane notices leaves_nothing_behind
ALL_TESTS := $(notdir $(patsubst %/main.rs,%,$(wildcard tests/*/main.rs crates/*/tests/*/main.rs tests/kit/tests/*/main.rs)) \
	$(basename $(wildcard tests/*.rs crates/*/tests/*.rs tests/kit/tests/*.rs)))
QUICK := --lib --bins $(addprefix --test ,$(filter-out $(WITH_CONTROL_PLANE),$(ALL_TESTS)))

.PHONY: check
check: lint ## check all that needs no control plane: make lint, and every test that starts none
	cargo test --locked --workspace $(QUICK)
	cargo test --locked --workspace --doc

# They mostly wait, so JOBS of them run side by side. What one prints comes when it has ended, and a failure stops no other.
JOBS := 4
.PHONY: test
test: control-plane ## run all tests, those against a real API server too, JOBS (4) programs side by side
	@cargo test --locked --workspace --no-run
	@echo 'Running the tests, $(JOBS) programs side by side. What each prints follows when it has ended …'
	@$(MAKE) -j $(JOBS) --keep-going --output-sync=target side-by-side

SIDE_BY_SIDE := programs-of-tests $(addprefix run-,$(WITH_CONTROL_PLANE) sdk-azure sdk-aws quick)
.PHONY: side-by-side $(SIDE_BY_SIDE)
side-by-side: $(SIDE_BY_SIDE)
run-gitops run-install run-notices: programs-of-tests
run-sdk-aws: run-sdk-azure # they install into the same directories

# Without MAKEFLAGS cargo does not take the jobs here for its own.
timed = @start=$$(date +%s); export MAKEFLAGS=; $(1); code=$$?; echo "$@: $$(($$(date +%s) - start)) s"; exit $$code
programs-of-tests:
	$(call timed,nice -n 19 tests/gitops/programs/build.sh >/dev/null && nice -n 19 tests/tools/build.sh >/dev/null && nice -n 19 tests/notices/programs/build.sh >/dev/null)
$(addprefix run-,$(WITH_CONTROL_PLANE)): run-%:
	$(call timed,cargo test --locked --workspace --test $* 2>&1)
run-sdk-azure run-sdk-aws: run-sdk-%:
	$(call timed,tests/sdk/run.sh $* 2>&1)
run-quick:
	$(call timed,cargo test --locked --workspace $(QUICK) 2>&1 && cargo test --locked --workspace --doc 2>&1)

.PHONY: gitops
gitops: control-plane gitops-programs ## have Flux's controller work on a real API server with the operator, and kstatus judge every status
	cargo test --locked --test gitops

.PHONY: chaos
chaos: control-plane ## kill operators N times (200 unless given) while they upgrade accounts; SEED=… gives the same choices again
	KILLS=$(N) SEED=$(SEED) cargo test --locked --test chaos campaign -- --exact --nocapture

.PHONY: attacks
attacks: control-plane ## attack the operator as real users on a real API server (docs/operate/threat-model.md), the long races too
	cargo test --locked --workspace --test e2e -- attacks:: --skip attacks::connections --skip attacks::workers --skip attacks::objects --include-ignored --test-threads 4
	cargo test --locked --workspace --test e2e -- attacks::connections attacks::workers attacks::objects --include-ignored --test-threads 1

.PHONY: faults
faults: ## run the operator with every fault at every effect, alone and in pairs; WORKLOAD=…, SHARE=… and SEED=… choose
	cargo test --locked --profile campaign --package payg-faults all -- --ignored --nocapture

.PHONY: model
model: ## explore the model of an upgrade in all its worlds, the large ones too, and print counts
	cargo test --locked -p payg-model -- --include-ignored --nocapture --test-threads 1

.PHONY: mutants
mutants: ## take rules out of the code one by one, and see the tests catch each; MUTANT=… does one
	MUTANT=$(MUTANT) cargo test --locked --test mutants caught -- --include-ignored --nocapture

# Twenty nights, each with another share of the pairs of faults, make all of them.
.PHONY: nightly nightly-chaos nightly-faults nightly-model nightly-mutants nightly-attacks
nightly: ## run the campaigns of which make test has a share, for hours: chaos, faults, model, mutants and attacks
	@$(MAKE) --keep-going nightly-chaos nightly-faults nightly-model nightly-mutants nightly-attacks
nightly-chaos:
	@$(MAKE) chaos N=2000
nightly-faults:
	@$(MAKE) faults SHARE=20 SEED=$$(($$(date +%s) / 86400))
nightly-model nightly-mutants nightly-attacks: nightly-%: %

.PHONY: sdk-azure
sdk-azure: ## drive the simulator with Microsoft's SDKs for Python, JavaScript and Go, which must take it for Azure
	@$(MAKE) payg-dev-of-tests
	@tests/sdk/run.sh azure

.PHONY: sdk-aws
sdk-aws: ## drive the simulator with the AWS SDKs for Python, JavaScript and Go, which must take it for AWS
	@$(MAKE) payg-dev-of-tests
	@tests/sdk/run.sh aws

# As cargo builds it for the tests, with the same features of all dependencies.
.PHONY: payg-dev-of-tests
payg-dev-of-tests:
	@cargo test --locked --workspace --no-run --test payg-dev

PROSE := README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs deploy src crates tests
.PHONY: prose
prose: ## check the English of documentation and comments with vale, built once; the rules are in .vale/styles/Payg
	@"$$(tests/prose/build.sh)/vale" $(PROSE)

.PHONY: lint
lint: prose cargo-deny ## check prose, format, lints, licences and sources of dependencies
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo deny --locked check bans licenses sources

.PHONY: audit
audit: cargo-deny ## check dependencies for known vulnerabilities; fetches the RustSec database
	cargo deny --locked check advisories

.PHONY: cargo-deny
cargo-deny:
	@command -v cargo-deny >/dev/null || cargo install --debug --locked --root target/tools cargo-deny@0.20.2

.PHONY: control-plane
control-plane: ## build etcd, kube-apiserver, kube-controller-manager and kubectl, once, for demo and tests
	@dir=$$(tests/control-plane/build.sh) && echo "Control plane: $$dir"

.PHONY: tools
tools: ## build Helm, kustomize, kubeconform, kube-score and actionlint, once, for the tests of what is installed
	@dir=$$(tests/tools/build.sh) && echo "Tools: $$dir"

.PHONY: gitops-programs
gitops-programs: ## build Flux's controller, kstatus and Argo CD's Lua engine, once, for the tests
	@dir=$$(tests/gitops/programs/build.sh) && echo "Programs for GitOps: $$dir"

.PHONY: testdata
testdata: ## write the statuses that deploy/argocd is tested with, and its argocd-cm, anew
	BLESS=1 cargo test --locked --lib operator::tests::the_files
	BLESS=1 cargo test --locked --test gitops the_config_map

.PHONY: reference
reference: ## write docs/reference/fields.md anew, from the kinds, and the rows in decisions.md, from the decision table
	BLESS=1 cargo test --locked --test docs the_reference
	BLESS=1 cargo test --locked -p payg-core --test decide the_document_lists

.PHONY: crds
crds: ## write the CustomResourceDefinitions in crds/ and in the chart anew, from crates/api/
	cargo run --locked -- crds --dir crds
	cargo run --locked -- crds --dir deploy/chart/files/crds

.PHONY: manifests
manifests: tools ## render deploy/kustomize anew, from deploy/chart
	deploy/manifests.sh

CONTAINER_TOOL ?= podman
.PHONY: image
image: ## build the image IMAGE=REGISTRY/NAME:TAG by podman, or CONTAINER_TOOL=docker; ARCH=arm64 or amd64 for another machine
	@test -n "$(IMAGE)" || { echo 'Say what it is to be called: make image IMAGE=REGISTRY/NAME:TAG' >&2; exit 2; }
	arch=$$(deploy/image/program.sh $(ARCH)) && \
		$(CONTAINER_TOOL) build --platform "linux/$$arch" --build-arg "TARGETARCH=$$arch" \
			--tag "$(IMAGE)" --file deploy/image/Containerfile target/image

.PHONY: image-test
image-test: control-plane tools ## build the image, look into it and have it upgrade an account; needs podman
	@$(MAKE) image IMAGE=localhost/payg-operator:test CONTAINER_TOOL=podman
	cargo test --locked --test image -- --include-ignored --nocapture --test-threads 1

.PHONY: release-manifest
release-manifest: tools ## write all that is installed for IMAGE=REGISTRY/NAME:TAG into one file, target/payg-operator.yaml
	deploy/release-manifest.sh "$(IMAGE)" target/payg-operator.yaml
