# frozen_string_literal: true

# WEBrick: a thread per connection.
require 'webrick'
require_relative 'contract'

server = WEBrick::HTTPServer.new(
  BindAddress: ENV.fetch('HOST', '127.0.0.1'), Port: ENV.fetch('PORT', '8080').to_i,
  DoNotReverseLookup: true, AccessLog: [], Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN)
)
server.mount_proc('/') do |request, response|
  query = request.query_string ? URI.decode_www_form(request.query_string).to_h : {}
  name = server.listeners.first.local_address
  address = "#{name.ip_address}:#{name.ip_port}"
  body = request.request_method == 'POST' ? request.body : ''
  response.status, response.body = Contract.answer(request.request_method, request.path, query, body, address)
end
trap('TERM') { server.shutdown }
server.start
