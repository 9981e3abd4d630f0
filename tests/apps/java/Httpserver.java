import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Optional;

/** The JDK's own HTTP server, which answers in the thread that dispatches. */
final class Httpserver {
    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(Contract.host(), Contract.port()), 128);
        String address = server.getAddress().getAddress().getHostAddress() + ":" + server.getAddress().getPort();
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            String query = Optional.ofNullable(exchange.getRequestURI().getQuery()).orElse("");
            String path = exchange.getRequestURI().getPath();
            Contract.Request request =
                new Contract.Request(exchange.getRequestMethod(), path, query, body, false);
            try (exchange) {
                Contract.Answer answer = Contract.answer(request, address);
                // Of no length there it has its own notion: -1.
                exchange.sendResponseHeaders(answer.status(), answer.body().length == 0 ? -1 : answer.body().length);
                exchange.getResponseBody().write(answer.body());
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        });
        server.start();
    }
}
