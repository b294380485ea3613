import java.io.InputStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.Date;
import java.util.Locale;

public class Server {
    public static void main(String[] arguments) throws Exception {
        ServerSocket welcome = new ServerSocket(Integer.parseInt(arguments[0]));
        boolean running = true;
        while (running) {
            try (Socket client = welcome.accept()) {
                client.setSoTimeout(15000);
                say(client, "Connected: your IP address is " + client.getInetAddress().getHostAddress()
                    + " and your port is " + client.getPort());
                InputStream input = client.getInputStream();
                byte[] buffer = new byte[1024];
                int got;
                while (running && (got = input.read(buffer)) > 0) {
                    String command = new String(buffer, 0, got, StandardCharsets.ISO_8859_1).trim();
                    if (command.equals("EXIT")) running = false;
                    else if (command.equals("TIME")) say(client, ctime());
                    else say(client, "Invalid command!");
                }
            } catch (java.io.IOException error) {
                // the client is gone, or silent for too long: the next one
            }
        }
        welcome.close();
    }

    static String ctime() {
        String text = new SimpleDateFormat("EEE MMM dd HH:mm:ss yyyy", Locale.US).format(new Date());
        return text.charAt(8) == '0' ? text.substring(0, 8) + " " + text.substring(9) : text;
    }

    static void say(Socket client, String text) throws java.io.IOException {
        client.getOutputStream().write((text + "\n").getBytes(StandardCharsets.US_ASCII));
    }
}
