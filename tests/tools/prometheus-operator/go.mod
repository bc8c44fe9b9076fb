// The Prometheus operator, for the definition of ServiceMonitor that is in its repository. Nothing of it is built.
module payg-operator/tools/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
