"""A wire between two interfaces of this namespace: every frame is late, some are lost, doubled or overtaken. Seeded."""
import heapq, random, select, socket, sys, time

OUTGOING = 4  # PACKET_OUTGOING of linux/if_packet.h
ends = []
for name in sys.argv[1:3]:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind((name, 0))
    end.setblocking(False)
    ends.append(end)
chance = random.Random(int(sys.argv[3]))
waiting = []
count = 0


def later(frame, to, delay):
    global count
    count += 1
    heapq.heappush(waiting, (time.monotonic() + delay, count, frame, to))


def take(frame, to):
    syn = len(frame) > 47 and frame[23] == 6 and frame[47] & 2
    luck = chance.random()
    if syn:
        later(frame, to, 0.001)  # A lost SYN costs a second and says nothing new.
    elif luck < 0.03:
        return
    elif luck < 0.05:
        later(frame, to, 0.001)
        later(frame, to, 0.0015)
    elif luck < 0.09:
        later(frame, to, 0.004)
    else:
        later(frame, to, 0.001)


print("ready", flush=True)
while True:
    pause = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for end in select.select(ends, [], [], pause)[0]:
        try:
            while True:
                frame, address = end.recvfrom(65536)
                if address[2] != OUTGOING:
                    take(frame, ends[1 - ends.index(end)])
        except BlockingIOError:
            pass
    while waiting and waiting[0][0] <= time.monotonic():
        _, _, frame, to = heapq.heappop(waiting)
        to.send(frame)
