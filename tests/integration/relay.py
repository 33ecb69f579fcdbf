#!/usr/bin/python3
"""A TCP relay whose end cuts all that runs through it: relay.py PORT TARGET-PORT, both on 127.0.0.1.

Says "ready" once it listens.
"""
import socket, sys, threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print("ready", flush=True)
    while True:
        client = listener.accept()[0]
        try:
            server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        except OSError:
            client.close()
            continue
        for pair in (client, server), (server, client):
            threading.Thread(target=pump, args=pair, daemon=True).start()


main()
