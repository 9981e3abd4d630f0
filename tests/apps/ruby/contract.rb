# frozen_string_literal: true

# The requests every program here answers, for servers that parse HTTP themselves.
module Contract
  module_function

  def who
    "pid=#{Process.pid} id=#{ENV['PROCESS_LOGICAL_ID']}\n"
  end

  def spin(milliseconds)
    $stdout.write("spinning\n")
    $stdout.flush
    clock = -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) }
    stop = clock.call + milliseconds / 1000.0
    nil while clock.call < stop
  end

  # Status and body. `query` maps names to values, `address` is what getsockname says, if the server tells.
  def answer(method, path, query, body, address = nil)
    case [method, path]
    when %w[GET /]
      [200, who]
    when %w[GET /slow]
      sleep(query['ms'].to_i / 1000.0)
      [200, who]
    when %w[GET /spin]
      spin(query['ms'].to_i)
      [200, who]
    when %w[GET /exit]
      exit!(query['code'].to_i)
    when %w[POST /echo]
      [200, body]
    when %w[GET /port]
      address ? [200, "#{address}\n"] : [404, "not told\n"]
    else
      [404, "no such page\n"]
    end
  end
end
