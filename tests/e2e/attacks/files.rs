//! Manifests of somebody else's pull request.
