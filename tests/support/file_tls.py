"""A TLS server for tests that takes its certificate from files on SIGHUP: `file_tls.py PORT CHAIN KEY`.

A program of its own, as a server of other people's is. Before the first signal it has none.
"""

import asyncio
import signal
import ssl
import sys

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nserved"


async def serve(port: int, chain: str, key: str) -> None:
    """Serve until somebody ends us."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, context.load_cert_chain, chain, key)
    server = await asyncio.start_server(_answer, "127.0.0.1", port, ssl=context)
    async with server:
        print("listens", flush=True)  # noqa: T201 - the test waits for it
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *sys.argv[2:4]))
