# frozen_string_literal: true

# The contract as a Rack application. It knows no listener.
require_relative 'contract'

run(lambda do |env|
  query = URI.decode_www_form(env['QUERY_STRING']).to_h
  body = env['rack.input']&.read || ''
  status, text = Contract.answer(env['REQUEST_METHOD'], env['PATH_INFO'], query, body)
  [status, { 'Content-Length' => text.bytesize.to_s }, [text]]
end)
