//! Hosts, what is installed there, and watched folders.

use super::{Entry, entry, get, op, post};
use crate::http::{hosts, watches};
use actix_web::{http::Method, web};
use protocol::{
    FoundHosts, HostCheck, HostRequest, HostView, Hosts, InstallRequest, Installs, UninstallRequest, WatchRequest,
    WatchView, Watches,
};

/// Hosts, what is installed there, and watched folders.
pub fn table() -> Vec<Entry> {
    vec![
        entry(
            "/v1/concepts/{id}/install",
            vec![(
                post("Put a concept into hosts, as a pair, and ask them whether they see it")
                    .reads::<InstallRequest>()
                    .answers::<Installs>(200),
                web::post().to(hosts::install),
            )],
        ),
        entry(
            "/v1/concepts/{id}/uninstall",
            vec![(
                post("Take a concept out of hosts; what could not go is listed")
                    .reads::<UninstallRequest>()
                    .answers::<Installs>(200),
                web::post().to(hosts::uninstall),
            )],
        ),
        entry(
            "/v1/hosts",
            vec![
                (post("Make a host known").reads::<HostRequest>().answers::<HostView>(201), web::post().to(hosts::add)),
                (get("Known hosts").answers::<Hosts>(200), web::get().to(hosts::list)),
            ],
        ),
        entry(
            "/v1/hosts/detect",
            vec![(
                post("Look for hosts that run or lie on this machine").answers::<FoundHosts>(200),
                web::post().to(hosts::detect),
            )],
        ),
        entry(
            "/v1/hosts/{id}",
            vec![
                (get("A host").answers::<HostView>(200), web::get().to(hosts::get)),
                (
                    op(Method::DELETE, "Forget a host; what was installed stays there").answers_nothing(204),
                    web::delete().to(hosts::forget),
                ),
            ],
        ),
        entry(
            "/v1/hosts/{id}/verify",
            vec![(
                post("Look whether a host can be used, and what is installed and seen there").answers::<HostCheck>(200),
                web::post().to(hosts::verify),
            )],
        ),
        entry(
            "/v1/watches",
            vec![
                (
                    get("Watched folders, and how the data sets in them stand").answers::<Watches>(200),
                    web::get().to(watches::list),
                ),
                (
                    post("Watch a folder: what is put into it trains by itself")
                        .reads::<WatchRequest>()
                        .answers::<WatchView>(201),
                    web::post().to(watches::add),
                ),
            ],
        ),
        entry(
            "/v1/watches/{id}",
            vec![
                (get("A watched folder").answers::<WatchView>(200), web::get().to(watches::get)),
                (
                    op(Method::DELETE, "Watch a folder no longer; what it queued goes on").answers_nothing(204),
                    web::delete().to(watches::remove),
                ),
            ],
        ),
        entry(
            "/v1/watches/{id}/rescan",
            vec![(
                post("Look at everything in a watched folder, and try again what failed").answers::<WatchView>(200),
                web::post().to(watches::rescan),
            )],
        ),
    ]
}
