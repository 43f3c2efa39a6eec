//! As much of an HTTP/1.1 server as the stubs need, on blocking sockets with a thread for each
//! connection: nothing between the bench and the socket takes time of its own. Bodies must have a
//! length, which those of the AWS SDK and the Lambda runtime have.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, bail};

/// Larger than anything that is sent here, since Lambda takes and gives 6 MiB at most.
const LARGEST_BODY: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: &'a [u8],
}

impl Request<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// A response, as the bytes that go over the wire.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 512);
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// What a request is answered with. It is called for the response and writes it itself where the
/// moment matters.
pub(crate) type Handler = dyn Fn(&Request, &mut dyn Write) -> anyhow::Result<()> + Send + Sync;

/// Serves on a free port of this machine, until the program ends.
pub(crate) fn serve(
    handler: impl Fn(&Request, &mut dyn Write) -> anyhow::Result<()> + Send + Sync + 'static,
) -> anyhow::Result<SocketAddr> {
    serve_over(Ok, handler)
}

/// The same, over what a connection is made into.
pub(crate) fn serve_over<S: Read + Write>(
    make: impl Fn(TcpStream) -> anyhow::Result<S> + Send + Sync + 'static,
    handler: impl Fn(&Request, &mut dyn Write) -> anyhow::Result<()> + Send + Sync + 'static,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen on 127.0.0.1")?;
    let address = listener.local_addr().context("read the port")?;
    let (handler, make): (Arc<Handler>, _) = (Arc::new(handler), Arc::new(make));
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (handler, make) = (Arc::clone(&handler), Arc::clone(&make));
            // A function that is ended cuts its connections, so an error here is nobody's: whoever
            // waits for the answer reports that none came.
            thread::spawn(move || {
                connection.set_nodelay(true)?;
                converse(make(connection)?, &*handler)
            });
        }
    });
    Ok(address)
}

fn converse(connection: impl Read + Write, handler: &Handler) -> anyhow::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, connection);
    // One buffer for all bodies: fresh pages for megabytes would cost as much as reading them.
    let mut body = Vec::new();
    while let Some((method, path)) = request_line(&mut reader)? {
        let headers = headers(&mut reader)?;
        if find(&headers, "expect").is_some() {
            reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if find(&headers, "transfer-encoding").is_some() {
            bail!("a body without length came to {path}");
        }
        let length = find(&headers, "content-length").map_or(Ok(0), str::parse)?;
        if length > LARGEST_BODY {
            bail!("a body of {length} bytes came to {path}");
        }
        body.clear();
        reader.by_ref().take(length).read_to_end(&mut body)?;
        handler(&Request { method, path, headers, body: &body }, reader.get_mut())?;
    }
    Ok(())
}

/// Method and path, or nothing once the client is done.
fn request_line(reader: &mut impl BufRead) -> anyhow::Result<Option<(String, String)>> {
    let line = line(reader)?;
    let mut parts = line.split(' ');
    match (parts.next(), parts.next()) {
        (Some(method), Some(path)) => Ok(Some((method.to_owned(), path.to_owned()))),
        _ if line.is_empty() => Ok(None),
        _ => bail!("no request line: {line}"),
    }
}

fn headers(reader: &mut impl BufRead) -> anyhow::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = line(reader)?;
        match line.split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None if line.is_empty() => return Ok(headers),
            None => bail!("no header: {line}"),
        }
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    header.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_requests_share_a_connection_and_keep_their_bodies() {
        let address = serve(|request, connection| {
            let body = [request.path.as_bytes(), request.body].concat();
            Ok(connection.write_all(&response("200 OK", &[("x", request.header("Y").unwrap())], &body))?)
        });
        let mut client = TcpStream::connect(address.unwrap()).unwrap();
        let sent = "PUT /a HTTP/1.1\r\ny: 1\r\nContent-Length: 3\r\n\r\none\
                    GET /b HTTP/1.1\r\ny: 2\r\n\r\n";
        client.write_all(sent.as_bytes()).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut received = String::new();
        client.read_to_string(&mut received).unwrap();
        let expected = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: 1\r\n\r\n/aone\
                        HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: 2\r\n\r\n/b";
        assert_eq!(received, expected);
    }
}
