//! `docs/authorization.md`: every route, called by every kind of caller, at its service and at the gateway.
//!
//! Nothing here names a route: the routes, their policies and their example requests come from the OpenAPI documents, and the public
//! paths from `services.toml`. So a new service needs no entry, only `scripts/write-documents`.

mod callers;
mod page;
mod rows;
mod tokens;
mod world;

use test_kit::TestResponse;

use self::callers::Caller;
use self::page::{Row, Table};
use self::world::{Door, World};
use crate::operations::Operation;
use crate::platform::CHEAP_HASHES;
use crate::sandbox::Sandbox;

#[tokio::test]
async fn the_page_about_authorization_says_what_the_platform_does() {
    let sandbox = Sandbox::new().await;
    if sandbox.server().is_some() {
        println!("NOT TESTED: the engine of the databases changes no policy, and SQLite is faster here");
        return;
    }
    let platform = sandbox.platform_with(&CHEAP_HASHES).await;
    let mut world = World::new(&sandbox, &platform).await;
    let mut tables: Vec<Table> = Vec::new();
    for operation in world.operations.clone() {
        let rows = rows_of(&mut world, &operation).await;
        match tables.last_mut() {
            Some(table) if table.heading == operation.heading() => table.rows.extend(rows),
            _ => tables.push(Table {
                heading: operation.heading().to_owned(),
                rows,
            }),
        }
    }
    let (gateway, services) = tables.split_at(1);
    page::check(&[gateway, &page::with_common_table(services)].concat());
}

/// The responses of the service and of the gateway: one row if they are the same.
async fn rows_of(world: &mut World<'_>, operation: &Operation) -> Vec<Row> {
    let Operation { method, path, .. } = operation;
    let (policy, route) = (operation.policy_in_words(), format!("`{method} {path}`"));
    if operation.is_gateway_page {
        let at_gateway = cells(world, operation, Door::Gateway).await;
        return vec![Row::new(route, policy, at_gateway)];
    }
    let at_service = cells(world, operation, Door::Service).await;
    let Some(public_path) = &operation.public_path else {
        check_that_the_gateway_has_no_such_path(world, operation).await;
        return vec![Row::new(route, policy, at_service)];
    };
    let at_gateway = cells(world, operation, Door::Gateway).await;
    if at_service == at_gateway {
        return vec![Row::new(
            format!("{route}<br>→ `{public_path}`"),
            policy,
            at_service,
        )];
    }
    vec![
        Row::new(route, policy, at_service),
        Row::new(format!("→ `{method} {public_path}`"), policy, at_gateway),
    ]
}

async fn cells(world: &mut World<'_>, operation: &Operation, door: Door) -> Vec<String> {
    if !operation.is_safe() {
        world.forget_rows();
    }
    let mut cells = Vec::new();
    for caller in Caller::ALL {
        cells.push(cell(&world.call(operation, door, caller).await));
    }
    cells
}

/// The status and, for an error, its code.
fn cell(response: &TestResponse) -> String {
    if response.status < 400 {
        return response.status.to_string();
    }
    let body = response.json();
    let code = body["code"].as_str().or_else(|| body["error"].as_str());
    format!("{} {}", response.status, code.expect("the code of an error"))
}

/// Every caller gets 404 for the service's own path, and for that path where public ones usually are.
async fn check_that_the_gateway_has_no_such_path(world: &mut World<'_>, operation: &Operation) {
    let mut paths = vec![operation.path.clone(), format!("/api{}", operation.path)];
    paths.retain(|path| !world.is_gateway_page(path));
    for path in paths {
        for caller in Caller::ALL {
            let response = world.probe(operation, &path, caller).await;
            response.assert_problem(404, "not_found");
        }
    }
}
