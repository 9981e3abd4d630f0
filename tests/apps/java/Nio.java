import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;

/** One thread, one Selector. */
final class Nio {
    public static void main(String[] args) throws IOException, InterruptedException {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress(Contract.host(), Contract.port()), 128);
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        InetSocketAddress own = (InetSocketAddress) listener.getLocalAddress();
        String address = own.getAddress().getHostAddress() + ":" + own.getPort();
        while (true) {
            selector.select();
            for (SelectionKey key : selector.selectedKeys()) {
                if (key.isAcceptable()) {
                    for (SocketChannel channel; (channel = listener.accept()) != null; ) {
                        channel.configureBlocking(false);
                        channel.register(selector, SelectionKey.OP_READ, new Contract.Input());
                    }
                } else if (key.isValid() && !serve(key, address)) {
                    key.cancel();
                    key.channel().close();
                }
            }
            selector.selectedKeys().clear();
        }
    }

    /** False when the connection is over. */
    private static boolean serve(SelectionKey key, String address) throws InterruptedException {
        SocketChannel channel = (SocketChannel) key.channel();
        Contract.Input input = (Contract.Input) key.attachment();
        ByteBuffer chunk = ByteBuffer.allocate(65536);
        try {
            int length = channel.read(chunk);
            if (length < 0) return false;
            input.add(chunk.array(), length);
            for (Optional<Contract.Request> request; (request = input.take()).isPresent(); ) {
                ByteBuffer answer = ByteBuffer.wrap(Contract.answer(request.get(), address).whole());
                // A socket that is full is tried again: no client here leaves an answer unread.
                while (answer.hasRemaining()) {
                    if (channel.write(answer) == 0) Thread.onSpinWait();
                }
                if (request.get().close()) return false;
            }
            return true;
        } catch (IOException gone) {
            return false;
        }
    }
}
