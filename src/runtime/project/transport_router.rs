//! Every transport of a run: the simulated model in process, and endpoints over HTTP.

use crate::runtime::model::{Fault, OnDelta, Reply, Request, Transport};
use crate::runtime::model::{Http, KeyLookup};
use crate::runtime::sim::SimTransport;

/// Sends each request where its model lives; a run may mix roles that are simulated with roles that are not.
#[derive(Debug)]
pub struct Transports {
    http: Http,
    sim: SimTransport,
}

impl Transports {
    /// Endpoints whose keys are found with `keys`, and the simulated model.
    pub fn new(keys: KeyLookup, sim: SimTransport) -> Self {
        Self { http: Http::new(keys), sim }
    }

    /// Endpoints over HTTP.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The simulated model in process.
    pub fn sim(&self) -> &SimTransport {
        &self.sim
    }
}

impl Transport for Transports {
    async fn send(&self, request: &Request, on_delta: Option<OnDelta<'_>>) -> Result<Reply, Fault> {
        if request.model.is_sim() {
            self.sim.send(request, on_delta).await
        } else {
            self.http.send(request, on_delta).await
        }
    }
}
