"""A TCP proxy that delays: what it reads it sends on half a round trip later, in both directions, whatever the rate.

Each direction has a thread that reads and stamps, and one that waits and sends, so the delay takes nothing off the
rate; what is on the way is bounded, as by a TCP window. It runs in a process of its own. Connecting takes a round trip,
too."""

import os
import queue
import socket
import subprocess
import sys
import threading
import time

CHUNK_BYTES = 256 * 1024
ON_THE_WAY = 256  # chunks in a direction at most


def start_proxy(port, delay):
    """Start a proxy to 127.0.0.1:port with a round trip of `delay` ms; returns its process and its own port.
    It ends when its standard input is closed, so also when we end."""
    process = subprocess.Popen([sys.executable, "-B", "-m", __name__, str(port), str(delay)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def pump(reader, writer, seconds):
    """Carry one direction until its end, then pass the end on."""
    chunks = queue.Queue(ON_THE_WAY)

    def send():
        while True:
            due, chunk = chunks.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not chunk:
                    writer.shutdown(socket.SHUT_WR)
                    return
                writer.sendall(chunk)
            except OSError:  # the other side is gone; the reader learns of it by its own socket
                close(reader)
                return

    threading.Thread(target=send, daemon=True).start()
    while True:
        try:
            chunk = reader.recv(CHUNK_BYTES)
        except OSError:
            chunk = b""
        chunks.put((time.monotonic() + seconds, chunk))
        if not chunk:
            return


def close(connection):
    """Wake whoever reads from it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def carry(client, port, delay):
    """One connection, from the client to 127.0.0.1:port."""
    time.sleep(delay / 1000)
    server = socket.create_connection(("127.0.0.1", port))
    for side in (client, server):
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=pump, args=(server, client, delay / 2000), daemon=True)
    back.start()
    pump(client, server, delay / 2000)
    back.join()


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main():
    threading.Thread(target=end_with_input, daemon=True).start()
    port, delay = int(sys.argv[1]), float(sys.argv[2])
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=carry, args=(client, port, delay), daemon=True).start()


if __name__ == "__main__":
    main()
