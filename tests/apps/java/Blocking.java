import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Optional;

/** A ServerSocket and a thread per connection. */
final class Blocking {
    public static void main(String[] args) throws IOException {
        ServerSocket listener = new ServerSocket(Contract.port(), 128, InetAddress.getByName(Contract.host()));
        String address = listener.getInetAddress().getHostAddress() + ":" + listener.getLocalPort();
        while (true) {
            Socket socket = listener.accept();
            Thread thread = new Thread(() -> serve(socket, address));
            thread.setDaemon(true);
            thread.start();
        }
    }

    private static void serve(Socket socket, String address) {
        try (socket) {
            socket.setTcpNoDelay(true);
            Contract.Input input = new Contract.Input();
            byte[] chunk = new byte[65536];
            InputStream in = socket.getInputStream();
            for (int length; (length = in.read(chunk)) > 0; ) {
                input.add(chunk, length);
                for (Optional<Contract.Request> request; (request = input.take()).isPresent(); ) {
                    socket.getOutputStream().write(Contract.answer(request.get(), address).whole());
                    if (request.get().close()) return;
                }
            }
        } catch (IOException gone) {
            // The client went away.
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }
}
