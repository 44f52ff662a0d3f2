"""The programs at both ends of the lossy wire: `server` serves, `client ADDRESS` talks to it and ends, `plain DEVICE` turns offloads off."""
import ctypes, fcntl, socket, struct, sys, threading, time

SIZE = 700_000
PIECE = bytes(range(256)) * 64


def plain(device):
    # ETHTOOL_STXCSUM, STSO, SGSO, SGRO through SIOCETHTOOL: a checksum nobody fills in would not survive a raw socket.
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for command in (0x17, 0x1F, 0x24, 0x2C):
        wish = ctypes.create_string_buffer(struct.pack("II", command, 0))
        fcntl.ioctl(control, 0x8946, struct.pack("16sP", device.encode(), ctypes.addressof(wish)))


def read_all(one):
    while one.recv(65536):
        pass


def send_all(one):
    for at in range(0, SIZE, len(PIECE)):
        one.sendall(PIECE[: SIZE - at])


def server():
    go_on = threading.Event()

    def sink(one):
        read_all(one)
        one.close()

    def source(one):
        send_all(one)
        one.close()

    def stopped(one):
        go_on.wait()
        sink(one)

    def control(one):
        go_on.set()
        one.close()

    for port, serve, size in ((5001, sink, 0), (5002, source, 0), (5003, stopped, 4096), (5004, control, 0), (5005, sink, 0)):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if size:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        listener.bind(("10.7.0.2", port))
        listener.listen()

        def accept(listener=listener, serve=serve):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


def until(condition):
    while not condition():
        time.sleep(0.005)


def probes(one):
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[4]  # tcpi_backoff: grows with each


def keep_alives():
    with open("/proc/net/netstat") as file:
        names, values = [line.split() for line in file if line.startswith("TcpExt:")]
    return int(values[names.index("TCPKeepAlive")])


def client(address):
    def upload():
        one = socket.create_connection((address, 5001))
        send_all(one)
        one.shutdown(socket.SHUT_WR)
        read_all(one)
        one.close()

    def download():
        one = socket.create_connection((address, 5002))
        read_all(one)
        one.close()

    def fill():
        one = socket.create_connection((address, 5003))
        one.setblocking(False)
        try:
            while True:
                one.send(PIECE)
        except BlockingIOError:
            pass
        until(lambda: probes(one) >= 3)
        socket.create_connection((address, 5004)).close()
        one.setblocking(True)
        one.sendall(PIECE)
        one.shutdown(socket.SHUT_WR)
        read_all(one)
        one.close()

    def idle():
        one = socket.create_connection((address, 5005))
        one.sendall(b"hello")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        until(lambda: keep_alives() >= 3)
        one.close()

    tasks = [threading.Thread(target=task) for task in (upload, download, fill, idle)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()


{"server": server, "client": client, "plain": plain}[sys.argv[1]](*sys.argv[2:])
