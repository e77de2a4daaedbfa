export {
  type FileLogger,
  type FileLoggerOptions,
  fileLogger,
  type LogLevel,
  type LogWaitOptions,
} from './adapters/logging/file-logger.ts';
