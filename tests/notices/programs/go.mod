// Alertmanager and its amtool, which build.sh builds from this module with the dependencies of its own go.mod.
module payg-operator/notices

go 1.26.0

require github.com/prometheus/alertmanager v0.35.0
