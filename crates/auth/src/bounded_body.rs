//! Reads response bodies up to a maximum length, so that another program can't exhaust this program's memory.

/// The body, or `None` if the body has more than `max_bytes`.
pub(crate) async fn read(
    mut response: reqwest::Response,
    max_bytes: usize,
) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_bytes {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
