import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** The requests every program here answers, and the parsing of HTTP for those that do it by hand. */
final class Contract {
    record Request(String method, String path, String query, byte[] body, boolean close) {}

    record Answer(int status, byte[] body) {
        /** As it goes over the wire. */
        byte[] whole() {
            String head = "HTTP/1.1 " + status + " x\r\nContent-Length: " + body.length + "\r\n\r\n";
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.writeBytes(head.getBytes(StandardCharsets.ISO_8859_1));
            out.writeBytes(body);
            return out.toByteArray();
        }
    }

    static String host() {
        return Optional.ofNullable(System.getenv("HOST")).orElse("127.0.0.1");
    }

    static int port() {
        return Integer.parseInt(Optional.ofNullable(System.getenv("PORT")).orElse("8080"));
    }

    static String who() {
        String id = Optional.ofNullable(System.getenv("PROCESS_LOGICAL_ID")).orElse("");
        return "pid=" + ProcessHandle.current().pid() + " id=" + id + "\n";
    }

    /** The number in a query such as `ms=20`. */
    private static int number(String query) {
        return Integer.parseInt(query.substring(query.indexOf('=') + 1));
    }

    private static void spin(int milliseconds) {
        System.out.println("spinning");
        long end = System.nanoTime() + milliseconds * 1_000_000L;
        while (System.nanoTime() < end) Thread.onSpinWait();
    }

    /** `address` is what the listening socket says of itself. */
    static Answer answer(Request request, String address) throws InterruptedException {
        switch (request.method + " " + request.path) {
            case "GET /":
                return text(200, who());
            case "GET /slow":
                Thread.sleep(number(request.query));
                return text(200, who());
            case "GET /spin":
                spin(number(request.query));
                return text(200, who());
            case "GET /exit":
                Runtime.getRuntime().halt(number(request.query));
                throw new IllegalStateException();
            case "POST /echo":
                return new Answer(200, request.body);
            case "GET /port":
                return text(200, address + "\n");
            default:
                return text(404, "no such page\n");
        }
    }

    private static Answer text(int status, String text) {
        return new Answer(status, text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Bytes that have come in on one connection and belong to no request yet. */
    static final class Input {
        private byte[] bytes = new byte[0];

        void add(byte[] more, int length) {
            byte[] joined = java.util.Arrays.copyOf(bytes, bytes.length + length);
            System.arraycopy(more, 0, joined, bytes.length, length);
            bytes = joined;
        }

        /** The first request, if it is complete. */
        Optional<Request> take() {
            String text = new String(bytes, StandardCharsets.ISO_8859_1);
            int end = text.indexOf("\r\n\r\n");
            if (end < 0) return Optional.empty();
            String[] lines = text.substring(0, end).split("\r\n");
            int length = 0;
            boolean close = false;
            for (String line : lines) {
                String lower = line.toLowerCase().replace(" ", "");
                if (lower.startsWith("content-length:")) length = Integer.parseInt(lower.substring(15));
                close |= lower.equals("connection:close");
            }
            int total = end + 4 + length;
            if (bytes.length < total) return Optional.empty();
            byte[] body = java.util.Arrays.copyOfRange(bytes, end + 4, total);
            bytes = java.util.Arrays.copyOfRange(bytes, total, bytes.length);
            String[] words = lines[0].split(" ");
            String[] target = words[1].split("\\?", 2);
            String query = target.length > 1 ? target[1] : "";
            return Optional.of(new Request(words[0], target[0], query, body, close));
        }
    }

    private Contract() {}
}
