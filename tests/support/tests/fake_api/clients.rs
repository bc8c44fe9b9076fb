//! kube's client and its watcher over the fake API server.
