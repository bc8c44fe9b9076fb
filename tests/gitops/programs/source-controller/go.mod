// The CustomResourceDefinitions of Flux's sources are taken out of this module; nothing of it is built.
module payg-operator/gitops/source-controller

go 1.26.0

require github.com/fluxcd/source-controller v1.7.3
